//! Every function of the C API: its signature, and a forwarder to the client library.
//!
//! `required` functions are those the `foundationdb` crate cannot work without; a client lacking one is refused.
//! What follows `=` is returned when there is no client, or when it lacks an optional function; a function with
//! no `=` panics then.

#![allow(clippy::too_many_arguments, reason = "the C API has functions with up to 17")]

use crate::client;
use crate::options::*;
use crate::types::*;
use libloading::Library;
use std::ffi::{CStr, c_char, c_int, c_void};

/// `unsupported_operation`: what the client itself answers for a function its library lacks.
const UNSUPPORTED_OPERATION: fdb_error_t = 2108;
const CLIENT_ABSENT: &CStr =
    c"the FoundationDB client library is not loaded; foundationdb_sys::load tells why";

macro_rules! functions {
    (required { $($required:tt)* } optional { $($optional:tt)* }) => {
        functions!(@items $($required)* $($optional)*);
        functions!(@names REQUIRED $($required)*);
    };
    (@names $list:ident $(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $(= $absent:expr)?;)+) => {
        const $list: &[&str] = &[$(stringify!($name)),+];
    };
    (@items $(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $(= $absent:expr)?;)+) => {
        /// The functions of one client library, by name.
        ///
        /// The pointers are `C-unwind` so that the panic of an absent function unwinds to the caller.
        pub(crate) struct Functions {
            $(pub(crate) $name: unsafe extern "C-unwind" fn($($arg: $ty),*) $(-> $ret)?,)+
        }

        /// Stands in for the client library while none is loaded.
        pub(crate) static ABSENT: Functions = Functions { $($name: absent::$name,)+ };

        mod absent {
            use super::*;

            $(
                pub(super) unsafe extern "C-unwind" fn $name($(_: $ty),*) $(-> $ret)? {
                    functions!(@absent $name $($absent)?)
                }
            )+
        }

        impl Functions {
            /// Resolves every function, or names the required ones that the library lacks.
            ///
            /// # Safety
            ///
            /// `library` must stay loaded as long as the result is used.
            pub(crate) unsafe fn resolve(library: &Library) -> Result<Self, Vec<&'static str>> {
                let mut missing = Vec::new();
                let functions = Functions {
                    $($name: {
                        // SAFETY: the type is the one that the C header gives to the function of this name, and
                        // an option of it is a pointer that may be null. The caller keeps the library loaded.
                        let symbol = unsafe {
                            library.get::<Option<unsafe extern "C-unwind" fn($($ty),*) $(-> $ret)?>>(
                                concat!(stringify!($name), "\0"),
                            )
                        };
                        symbol.ok().and_then(|symbol| *symbol).unwrap_or_else(|| {
                            missing.push(stringify!($name));
                            absent::$name
                        })
                    },)+
                };
                missing.retain(|name| REQUIRED.contains(name));
                if missing.is_empty() { Ok(functions) } else { Err(missing) }
            }
        }

        $(
            #[doc = concat!("`", stringify!($name), "` of the C API.")]
            ///
            /// # Safety
            ///
            /// As `fdb_c.h` says of the function: pointers and lengths must agree and objects be alive.
            pub unsafe fn $name($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller keeps the contract of the C function, and the client stays loaded for ever.
                unsafe { (client::functions().$name)($($arg),*) }
            }
        )+
    };
    (@absent $name:ident $absent:expr) => { $absent };
    (@absent $name:ident) => {
        panic!("{} called, but the FoundationDB client library is not loaded or lacks it", stringify!($name))
    };
}

functions! { required {
    fn fdb_get_error(code: fdb_error_t) -> *const c_char = CLIENT_ABSENT.as_ptr();
    fn fdb_error_predicate(predicate_test: c_int, code: fdb_error_t) -> fdb_bool_t = 0;
    fn fdb_network_set_option(
        option: FDBNetworkOption, value: *const u8, value_length: c_int,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_setup_network() -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_run_network() -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_stop_network() -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_destroy(f: *mut FDBFuture);
    fn fdb_future_is_ready(f: *mut FDBFuture) -> fdb_bool_t;
    fn fdb_future_set_callback(
        f: *mut FDBFuture, callback: FDBCallback, callback_parameter: *mut c_void,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_get_error(f: *mut FDBFuture) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_get_int64(f: *mut FDBFuture, out: *mut i64) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_get_key(
        f: *mut FDBFuture, out_key: *mut *const u8, out_key_length: *mut c_int,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_get_value(
        f: *mut FDBFuture, out_present: *mut fdb_bool_t, out_value: *mut *const u8,
        out_value_length: *mut c_int,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_get_keyvalue_array(
        f: *mut FDBFuture, out_kv: *mut *const FDBKeyValue, out_count: *mut c_int, out_more: *mut fdb_bool_t,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_get_key_array(
        f: *mut FDBFuture, out_key_array: *mut *const FDBKey, out_count: *mut c_int,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_get_string_array(
        f: *mut FDBFuture, out_strings: *mut *mut *const c_char, out_count: *mut c_int,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_create_database(
        cluster_file_path: *const c_char, out_database: *mut *mut FDBDatabase,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_database_destroy(d: *mut FDBDatabase);
    fn fdb_database_set_option(
        d: *mut FDBDatabase, option: FDBDatabaseOption, value: *const u8, value_length: c_int,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_database_create_transaction(
        d: *mut FDBDatabase, out_transaction: *mut *mut FDBTransaction,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_database_get_main_thread_busyness(db: *mut FDBDatabase) -> f64;
    fn fdb_database_get_client_status(db: *mut FDBDatabase) -> *mut FDBFuture;
    fn fdb_transaction_destroy(tr: *mut FDBTransaction);
    fn fdb_transaction_cancel(tr: *mut FDBTransaction);
    fn fdb_transaction_set_option(
        tr: *mut FDBTransaction, option: FDBTransactionOption, value: *const u8, value_length: c_int,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_transaction_set_read_version(tr: *mut FDBTransaction, version: i64);
    fn fdb_transaction_get_read_version(tr: *mut FDBTransaction) -> *mut FDBFuture;
    fn fdb_transaction_get(
        tr: *mut FDBTransaction, key_name: *const u8, key_name_length: c_int, snapshot: fdb_bool_t,
    ) -> *mut FDBFuture;
    fn fdb_transaction_get_key(
        tr: *mut FDBTransaction, key_name: *const u8, key_name_length: c_int, or_equal: fdb_bool_t,
        offset: c_int, snapshot: fdb_bool_t,
    ) -> *mut FDBFuture;
    fn fdb_transaction_get_addresses_for_key(
        tr: *mut FDBTransaction, key_name: *const u8, key_name_length: c_int,
    ) -> *mut FDBFuture;
    fn fdb_transaction_get_range(
        tr: *mut FDBTransaction, begin_key_name: *const u8, begin_key_name_length: c_int,
        begin_or_equal: fdb_bool_t, begin_offset: c_int, end_key_name: *const u8, end_key_name_length: c_int,
        end_or_equal: fdb_bool_t, end_offset: c_int, limit: c_int, target_bytes: c_int,
        mode: FDBStreamingMode, iteration: c_int, snapshot: fdb_bool_t, reverse: fdb_bool_t,
    ) -> *mut FDBFuture;
    fn fdb_transaction_set(
        tr: *mut FDBTransaction, key_name: *const u8, key_name_length: c_int, value: *const u8,
        value_length: c_int,
    );
    fn fdb_transaction_atomic_op(
        tr: *mut FDBTransaction, key_name: *const u8, key_name_length: c_int, param: *const u8,
        param_length: c_int, operation_type: FDBMutationType,
    );
    fn fdb_transaction_clear(tr: *mut FDBTransaction, key_name: *const u8, key_name_length: c_int);
    fn fdb_transaction_clear_range(
        tr: *mut FDBTransaction, begin_key_name: *const u8, begin_key_name_length: c_int,
        end_key_name: *const u8, end_key_name_length: c_int,
    );
    fn fdb_transaction_watch(
        tr: *mut FDBTransaction, key_name: *const u8, key_name_length: c_int,
    ) -> *mut FDBFuture;
    fn fdb_transaction_commit(tr: *mut FDBTransaction) -> *mut FDBFuture;
    fn fdb_transaction_get_committed_version(
        tr: *mut FDBTransaction, out_version: *mut i64,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_transaction_get_approximate_size(tr: *mut FDBTransaction) -> *mut FDBFuture;
    fn fdb_transaction_get_versionstamp(tr: *mut FDBTransaction) -> *mut FDBFuture;
    fn fdb_transaction_on_error(tr: *mut FDBTransaction, error: fdb_error_t) -> *mut FDBFuture;
    fn fdb_transaction_reset(tr: *mut FDBTransaction);
    fn fdb_transaction_add_conflict_range(
        tr: *mut FDBTransaction, begin_key_name: *const u8, begin_key_name_length: c_int,
        end_key_name: *const u8, end_key_name_length: c_int, conflict_type: FDBConflictRangeType,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_transaction_get_estimated_range_size_bytes(
        tr: *mut FDBTransaction, begin_key_name: *const u8, begin_key_name_length: c_int,
        end_key_name: *const u8, end_key_name_length: c_int,
    ) -> *mut FDBFuture;
    fn fdb_transaction_get_range_split_points(
        tr: *mut FDBTransaction, begin_key_name: *const u8, begin_key_name_length: c_int,
        end_key_name: *const u8, end_key_name_length: c_int, chunk_size: i64,
    ) -> *mut FDBFuture;
    fn fdb_select_api_version_impl(
        runtime_version: c_int, header_version: c_int,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_get_max_api_version() -> c_int = 0;
} optional {
    fn fdb_add_network_thread_completion_hook(
        hook: Option<unsafe extern "C" fn(*mut c_void)>, hook_parameter: *mut c_void,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_cancel(f: *mut FDBFuture);
    fn fdb_future_release_memory(f: *mut FDBFuture);
    fn fdb_future_block_until_ready(f: *mut FDBFuture) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_get_bool(f: *mut FDBFuture, out: *mut fdb_bool_t) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_get_uint64(f: *mut FDBFuture, out: *mut u64) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_get_double(f: *mut FDBFuture, out: *mut f64) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_get_mappedkeyvalue_array(
        f: *mut FDBFuture, out_kv: *mut *const FDBMappedKeyValue, out_count: *mut c_int,
        out_more: *mut fdb_bool_t,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_future_get_keyrange_array(
        f: *mut FDBFuture, out_ranges: *mut *const FDBKeyRange, out_count: *mut c_int,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_create_database_from_connection_string(
        connection_string: *const c_char, out_database: *mut *mut FDBDatabase,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_database_open_tenant(
        d: *mut FDBDatabase, tenant_name: *const u8, tenant_name_length: c_int,
        out_tenant: *mut *mut FDBTenant,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_database_reboot_worker(
        db: *mut FDBDatabase, address: *const u8, address_length: c_int, check: fdb_bool_t, duration: c_int,
    ) -> *mut FDBFuture;
    fn fdb_database_force_recovery_with_data_loss(
        db: *mut FDBDatabase, dcid: *const u8, dcid_length: c_int,
    ) -> *mut FDBFuture;
    fn fdb_database_create_snapshot(
        db: *mut FDBDatabase, uid: *const u8, uid_length: c_int, snap_command: *const u8,
        snap_command_length: c_int,
    ) -> *mut FDBFuture;
    fn fdb_database_get_server_protocol(db: *mut FDBDatabase, expected_version: u64) -> *mut FDBFuture;
    fn fdb_tenant_create_transaction(
        tenant: *mut FDBTenant, out_transaction: *mut *mut FDBTransaction,
    ) -> fdb_error_t = UNSUPPORTED_OPERATION;
    fn fdb_tenant_get_id(tenant: *mut FDBTenant) -> *mut FDBFuture;
    fn fdb_tenant_destroy(tenant: *mut FDBTenant);
    fn fdb_transaction_get_mapped_range(
        tr: *mut FDBTransaction, begin_key_name: *const u8, begin_key_name_length: c_int,
        begin_or_equal: fdb_bool_t, begin_offset: c_int, end_key_name: *const u8, end_key_name_length: c_int,
        end_or_equal: fdb_bool_t, end_offset: c_int, mapper_name: *const u8, mapper_name_length: c_int,
        limit: c_int, target_bytes: c_int, mode: FDBStreamingMode, iteration: c_int, snapshot: fdb_bool_t,
        reverse: fdb_bool_t,
    ) -> *mut FDBFuture;
    fn fdb_transaction_get_tag_throttled_duration(tr: *mut FDBTransaction) -> *mut FDBFuture;
    fn fdb_transaction_get_total_cost(tr: *mut FDBTransaction) -> *mut FDBFuture;
    fn fdb_get_client_version() -> *const c_char = CLIENT_ABSENT.as_ptr();
} }
