//! Types of `fdb_c_types.h` and `fdb_c.h`, laid out as the C compiler lays them out.

#![allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    reason = "names and meaning are those of the C header, which documents them"
)]

use std::ffi::{c_int, c_void};

macro_rules! opaque {
    ($($tag:ident $alias:ident),+ $(,)?) => {$(
        /// Owned by the client library and seen only through pointers.
        #[repr(C)]
        #[derive(Debug)]
        pub struct $tag {
            _opaque: [u8; 0],
        }
        pub type $alias = $tag;
    )+};
}

opaque! {
    FDB_future FDBFuture,
    FDB_database FDBDatabase,
    FDB_tenant FDBTenant,
    FDB_transaction FDBTransaction,
}

pub type fdb_error_t = c_int;
pub type fdb_bool_t = c_int;

pub type FDBCallback = Option<unsafe extern "C" fn(future: *mut FDBFuture, callback_parameter: *mut c_void)>;

#[repr(C, packed(4))]
#[derive(Debug, Clone, Copy)]
pub struct FDBKey {
    pub key: *const u8,
    pub key_length: c_int,
}

#[repr(C, packed(4))]
#[derive(Debug, Clone, Copy)]
pub struct FDBKeyValue {
    pub key: *const u8,
    pub key_length: c_int,
    pub value: *const u8,
    pub value_length: c_int,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FDBKeySelector {
    pub key: FDBKey,
    pub orEqual: fdb_bool_t,
    pub offset: c_int,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FDBGetRangeReqAndResult {
    pub begin: FDBKeySelector,
    pub end: FDBKeySelector,
    pub data: *mut FDBKeyValue,
    pub m_size: c_int,
    pub m_capacity: c_int,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FDBMappedKeyValue {
    pub key: FDBKey,
    pub value: FDBKey,
    pub getRange: FDBGetRangeReqAndResult,
    pub buffer: [u8; 32],
}

#[repr(C, packed(4))]
#[derive(Debug, Clone, Copy)]
pub struct FDBKeyRange {
    pub begin_key: *const u8,
    pub begin_key_length: c_int,
    pub end_key: *const u8,
    pub end_key_length: c_int,
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;
    use std::mem::{align_of, offset_of, size_of};

    #[test]
    fn structs_have_the_size_and_alignment_of_the_c_header() {
        let layout = [
            (size_of::<FDBKey>(), align_of::<FDBKey>()),
            (size_of::<FDBKeyValue>(), align_of::<FDBKeyValue>()),
            (size_of::<FDBKeyRange>(), align_of::<FDBKeyRange>()),
            (size_of::<FDBKeySelector>(), align_of::<FDBKeySelector>()),
            (size_of::<FDBGetRangeReqAndResult>(), align_of::<FDBGetRangeReqAndResult>()),
            (size_of::<FDBMappedKeyValue>(), align_of::<FDBMappedKeyValue>()),
        ];
        assert_eq!(layout, [(12, 4), (24, 4), (24, 4), (20, 4), (56, 8), (112, 8)]);
    }

    #[test]
    fn fields_have_the_offsets_of_the_c_header() {
        assert_eq!(offset_of!(FDBKey, key_length), 8);
        assert_eq!(
            [offset_of!(FDBKeyValue, value), offset_of!(FDBKeyValue, value_length)],
            [12, 20],
            "a value follows its key unaligned"
        );
        assert_eq!([offset_of!(FDBKeySelector, orEqual), offset_of!(FDBKeySelector, offset)], [12, 16]);
        assert_eq!(
            [offset_of!(FDBGetRangeReqAndResult, end), offset_of!(FDBGetRangeReqAndResult, data)],
            [20, 40]
        );
        assert_eq!(
            [offset_of!(FDBMappedKeyValue, getRange), offset_of!(FDBMappedKeyValue, buffer)],
            [24, 80]
        );
    }
}
