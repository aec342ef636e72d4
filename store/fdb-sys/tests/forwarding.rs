//! What passes through the forwarders to a client library, and back.
//!
//! A process loads one client for good, so the forwarders have a test binary of their own.

#![allow(unsafe_code, reason = "the functions under test are bindings of a C API")]

#[path = "../src/fake_client.rs"]
mod fake_client;

use foundationdb_sys::*;
use std::ffi::{CStr, c_void};
use std::path::PathBuf;
use std::slice;
use std::sync::LazyLock;

/// Loads the fake client, and tells from where; once loaded it needs its file no more.
static LOADED_FROM: LazyLock<PathBuf> = LazyLock::new(|| {
    let fake = fake_client::build(&[]);
    let loaded = load(Some(&fake.path())).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.max_api_version, 730);
    fake.path()
});

fn with_client() {
    LazyLock::force(&LOADED_FROM);
}

#[test]
fn later_load_answers_with_the_client_already_loaded() {
    with_client();
    let loaded = load(None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.path, *LOADED_FROM);
}

#[test]
fn arguments_arrive_in_order() {
    with_client();
    let value = [7_u8, 8, 9];
    // SAFETY: the fake reads the three bytes of the value, and nothing else through a pointer.
    unsafe {
        assert_eq!(fdb_get_max_api_version(), 730);
        assert_eq!(fdb_select_api_version_impl(720, 730), 720_730);
        assert_eq!(
            fdb_error_predicate(FDBErrorPredicate_FDB_ERROR_PREDICATE_MAYBE_COMMITTED as i32, 1021),
            1
        );
        assert_eq!(fdb_error_predicate(1021, 50001), 0);
        let set = fdb_network_set_option(FDBNetworkOption_FDB_NET_OPTION_KNOB, value.as_ptr(), 3);
        assert_eq!(set, 400_093);
    }
}

#[test]
fn strings_and_floats_come_back() {
    with_client();
    let mut busyness = 0.5_f64;
    // SAFETY: the fake returns a static string, and reads the database as the number it is.
    unsafe {
        assert_eq!(CStr::from_ptr(fdb_get_error(1020)), c"the fake says 1020");
        assert_eq!(fdb_database_get_main_thread_busyness((&raw mut busyness).cast()), 0.25);
    }
}

#[test]
fn arguments_passed_on_the_stack_arrive_in_order() {
    with_client();
    let (begin, end) = (b"begin".as_ptr(), b"end".as_ptr());
    let mode = FDBStreamingMode_FDB_STREAMING_MODE_WANT_ALL;
    // SAFETY: the fake dereferences nothing; its future is fifteen integers, until it is destroyed.
    let arguments = unsafe {
        let transaction = 99 as *mut FDBTransaction;
        let future =
            fdb_transaction_get_range(transaction, begin, 5, 1, -3, end, 4, 0, 6, 10, 11, mode, 12, 1, 0);
        let arguments = slice::from_raw_parts(future.cast::<i64>(), 15).to_vec();
        fdb_future_destroy(future);
        arguments
    };
    let (begin, end) = (begin.addr().cast_signed() as i64, end.addr().cast_signed() as i64);
    assert_eq!(arguments, [99, begin, 5, 1, -3, end, 4, 0, 6, 10, 11, -2, 12, 1, 0]);
}

#[test]
fn callback_gets_the_future_and_its_parameter() {
    unsafe extern "C" fn note(future: *mut FDBFuture, parameter: *mut c_void) {
        // SAFETY: the test below passes its own variable as the parameter, and waits for this call.
        unsafe { *parameter.cast() = future.addr() };
    }

    with_client();
    let mut seen = 0_usize;
    // SAFETY: the fake calls back at once, with what it was given.
    let error = unsafe { fdb_future_set_callback(77 as *mut FDBFuture, Some(note), (&raw mut seen).cast()) };
    assert_eq!((error, seen), (0, 77));
}

#[test]
fn key_value_array_is_read_with_the_packing_of_c() {
    with_client();
    let (mut pairs, mut count, mut more) = (std::ptr::null(), 0, 0);
    // SAFETY: the fake fills in a static array of two pairs.
    unsafe {
        assert_eq!(fdb_future_get_keyvalue_array(std::ptr::null_mut(), &mut pairs, &mut count, &mut more), 0);
        assert_eq!((count, more), (2, 1));
        assert_eq!(texts(slice::from_raw_parts(pairs, 2)), [("one", "first"), ("three", "")]);
    }
}

#[test]
fn mapped_key_value_is_read_with_the_layout_of_c() {
    with_client();
    let (mut mapped, mut count, mut more) = (std::ptr::null(), 0, 1);
    // SAFETY: the fake fills in one static value, whose range is the array of two pairs.
    unsafe {
        let error =
            fdb_future_get_mappedkeyvalue_array(std::ptr::null_mut(), &mut mapped, &mut count, &mut more);
        assert_eq!((error, count, more), (0, 1, 0));
        let FDBMappedKeyValue { key, value, getRange: range, .. } = *mapped;
        assert_eq!((text(key.key, key.key_length), text(value.key, value.key_length)), ("parent", "index"));
        assert_eq!((range.begin.orEqual, range.begin.offset), (0, 1));
        assert_eq!(text(range.end.key.key, range.end.key.key_length), "zz");
        assert_eq!((range.end.orEqual, range.end.offset), (1, 7));
        assert_eq!(texts(slice::from_raw_parts(range.data, 2)), [("one", "first"), ("three", "")]);
    }
}

#[test]
fn optional_function_that_the_client_lacks_answers_unsupported() {
    with_client();
    // SAFETY: the fake has no such function, and what stands in for it reads no argument.
    let error =
        unsafe { fdb_database_open_tenant(std::ptr::null_mut(), std::ptr::null(), 0, std::ptr::null_mut()) };
    assert_eq!(error, 2108);
}

/// # Safety
/// The pairs must point to their keys and values, in static memory.
unsafe fn texts(pairs: &[FDBKeyValue]) -> Vec<(&'static str, &'static str)> {
    // SAFETY: by the contract of this function.
    let pair = |p: &FDBKeyValue| unsafe { (text(p.key, p.key_length), text(p.value, p.value_length)) };
    pairs.iter().map(pair).collect()
}

/// # Safety
/// `start` must point to `length` bytes of static memory.
unsafe fn text(start: *const u8, length: i32) -> &'static str {
    let length = usize::try_from(length).expect("a length is not negative");
    // SAFETY: by the contract of this function.
    std::str::from_utf8(unsafe { slice::from_raw_parts(start, length) }).expect("the fake writes ASCII")
}
