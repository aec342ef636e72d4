//! Operations with defects.

use rookery_store::{Op, Reads, StoreError, View, Writes};

use crate::engines::UnderTest;
use crate::one_batch::OneBatch;
use crate::probe::{get, increment, number, panicking};

pub(crate) async fn a_panicking_operation_hurts_no_other(mut test: UnderTest) {
    let batch = OneBatch::gather(&mut test).await;
    let before: Vec<_> = (0..5).map(|_| batch.submit(increment("n"))).collect();
    let panicked = batch.submit(panicking());
    let after: Vec<_> = (0..5).map(|_| batch.submit(increment("n"))).collect();
    batch.commit();
    for (expected, outcome) in (0..).zip(before.into_iter().chain(after)) {
        assert_eq!(outcome.await.expect("told").expect("it commits").answer, expected);
    }
    let outcome = panicked.await.expect("told");
    assert!(matches!(&outcome, Err(StoreError::Panicked(text)) if text == "injected"), "{outcome:?}");
    assert_eq!(get(&batch.store, "by the one that panics").await, None);
}

struct PanicsInReads;

impl Op for PanicsInReads {
    type Answer = ();

    fn reads(&self, _: &mut Reads) {
        panic!("injected");
    }

    fn apply(&self, view: &View<'_>, _: &mut Writes<'_>) {
        drop(view.get(&crate::probe::key("not declared")));
    }
}

pub(crate) async fn a_panic_while_declaring_reads_hurts_no_other(mut test: UnderTest) {
    let batch = OneBatch::gather(&mut test).await;
    let before = batch.submit(increment("n"));
    let panicked = batch.submit(PanicsInReads);
    let after = batch.submit(increment("n"));
    batch.commit();
    before.await.expect("told").expect("it commits");
    after.await.expect("told").expect("it commits");
    // An engine that does not ask for the reads does not notice.
    let outcome = panicked.await.expect("told");
    assert!(matches!(outcome, Ok(_) | Err(StoreError::Panicked(_))), "{outcome:?}");
    let next = batch.submit(increment("n")).await.expect("told").expect("the lane goes on");
    assert_eq!(next.answer, 2);
}

pub(crate) async fn a_panicking_callback_hurts_no_other(mut test: UnderTest) {
    let batch = OneBatch::gather(&mut test).await;
    let before = batch.submit(increment("n"));
    batch.store.submit_then(&(), increment("n"), |_| panic!("injected")).expect("the queue has room");
    let after = batch.submit(increment("n"));
    batch.commit();
    before.await.expect("told").expect("it commits");
    after.await.expect("told").expect("it commits");
    assert_eq!(number(get(&batch.store, "n").await.as_deref()), 3);
}
