//! Writers that read what others write.

use crate::engines::UnderTest;
use crate::probe::{get, increment, number, put};

pub(crate) async fn increments_from_two_stores_are_all_counted(mut test: UnderTest) {
    let stores = [test.store().await, test.second_store().await];
    let tasks = (0..200_u64).map(|number| {
        let store = stores[number as usize % 2].clone();
        tokio::spawn(async move { store.submit(&number, increment("n")).await.expect("it commits").answer })
    });
    let mut seen = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        seen.push(task.await.expect("nothing panics"));
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..200).collect::<Vec<_>>(), "each saw the number another left");
    assert_eq!(number(get(&stores[0], "n").await.as_deref()), 200);
}

pub(crate) async fn a_value_written_between_is_what_the_operation_sees(mut test: UnderTest) {
    let (one, other) = (test.store().await, test.second_store().await);
    for round in 0..20 {
        assert_eq!(one.submit(&0, increment("n")).await.expect("it commits").answer, 2 * round);
        assert_eq!(other.submit(&0, increment("n")).await.expect("it commits").answer, 2 * round + 1);
    }
    other.submit(&0, put("m", "other")).await.expect("it commits");
    assert_eq!(get(&one, "m").await.as_deref(), Some(&b"other"[..]));
}
