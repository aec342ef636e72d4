/*
 * A client library that records and computes instead of talking to a database, for the tests of forwarding.
 *
 * -DMAX_API_VERSION=n   claims to support API versions up to n
 * -DWITHOUT_COMMIT      lacks one required function
 * -DNO_CLIENT           lacks them all
 *
 * Signatures and packing follow fdb_c.h.
 */

#include <stdint.h>
#include <stdlib.h>

#ifndef MAX_API_VERSION
#define MAX_API_VERSION 730
#endif

#ifndef NO_CLIENT

typedef void (*callback_t)(void* future, void* parameter);

#pragma pack(push, 4)
typedef struct {
	const uint8_t* key;
	int key_length;
	const uint8_t* value;
	int value_length;
} keyvalue_t;
#pragma pack(pop)

typedef struct {
	const uint8_t* key;
	int key_length;
	int or_equal;
	int offset;
} __attribute__((packed, aligned(4))) selector_t;

typedef struct {
	struct {
		const uint8_t* key;
		int key_length;
	} __attribute__((packed, aligned(4))) key, value;
	selector_t begin, end;
	keyvalue_t* data;
	int size, capacity;
	unsigned char buffer[32];
} mapped_t;

static const keyvalue_t pairs[2] = {
	{ (const uint8_t*)"one", 3, (const uint8_t*)"first", 5 },
	{ (const uint8_t*)"three", 5, (const uint8_t*)"", 0 },
};

int fdb_get_max_api_version(void) {
	return MAX_API_VERSION;
}

/* Tells the two versions apart. */
int fdb_select_api_version_impl(int runtime_version, int header_version) {
	return runtime_version * 1000 + header_version;
}

const char* fdb_get_error(int code) {
	return code == 1020 ? "the fake says 1020" : "the fake says something else";
}

int fdb_error_predicate(int predicate, int code) {
	return predicate == 50001 && code == 1021;
}

int fdb_network_set_option(unsigned option, const uint8_t* value, int value_length) {
	return (int)option * 10000 + value[value_length - 1] * 10 + value_length;
}

double fdb_database_get_main_thread_busyness(void* database) {
	return *(double*)database / 2;
}

/* More arguments than registers: all of them come back as the future, in order. */
void* fdb_transaction_get_range(void* transaction, const uint8_t* begin, int begin_length, int begin_or_equal,
                                int begin_offset, const uint8_t* end, int end_length, int end_or_equal,
                                int end_offset, int limit, int target_bytes, int mode, int iteration,
                                int snapshot, int reverse) {
	int64_t arguments[15] = { (intptr_t)transaction, (intptr_t)begin, begin_length, begin_or_equal, begin_offset,
		                      (intptr_t)end,         end_length,      end_or_equal, end_offset,     limit,
		                      target_bytes,          mode,            iteration,    snapshot,       reverse };
	int64_t* future = malloc(sizeof arguments);
	for (int i = 0; i < 15; i++)
		future[i] = arguments[i];
	return future;
}

void fdb_future_destroy(void* future) {
	free(future);
}

int fdb_future_set_callback(void* future, callback_t callback, void* parameter) {
	callback(future, parameter);
	return 0;
}

int fdb_future_get_keyvalue_array(void* future, const keyvalue_t** out, int* out_count, int* out_more) {
	*out = pairs;
	*out_count = 2;
	*out_more = 1;
	return 0;
}

int fdb_future_get_mappedkeyvalue_array(void* future, const mapped_t** out, int* out_count, int* out_more) {
	static const mapped_t mapped = {
		.key = { (const uint8_t*)"parent", 6 },
		.value = { (const uint8_t*)"index", 5 },
		.begin = { (const uint8_t*)"a", 1, 0, 1 },
		.end = { (const uint8_t*)"zz", 2, 1, 7 },
		.data = (keyvalue_t*)pairs,
		.size = 2,
	};
	*out = &mapped;
	*out_count = 1;
	*out_more = 0;
	return 0;
}

/* The rest must be there, and is never called. */
#define STUB(name) \
	void name(void) { \
		abort(); \
	}

#ifndef WITHOUT_COMMIT
STUB(fdb_transaction_commit)
#endif
STUB(fdb_setup_network)
STUB(fdb_run_network)
STUB(fdb_stop_network)
STUB(fdb_future_is_ready)
STUB(fdb_future_get_error)
STUB(fdb_future_get_int64)
STUB(fdb_future_get_key)
STUB(fdb_future_get_value)
STUB(fdb_future_get_key_array)
STUB(fdb_future_get_string_array)
STUB(fdb_create_database)
STUB(fdb_database_destroy)
STUB(fdb_database_set_option)
STUB(fdb_database_create_transaction)
STUB(fdb_database_get_client_status)
STUB(fdb_transaction_destroy)
STUB(fdb_transaction_cancel)
STUB(fdb_transaction_set_option)
STUB(fdb_transaction_set_read_version)
STUB(fdb_transaction_get_read_version)
STUB(fdb_transaction_get)
STUB(fdb_transaction_get_key)
STUB(fdb_transaction_get_addresses_for_key)
STUB(fdb_transaction_set)
STUB(fdb_transaction_atomic_op)
STUB(fdb_transaction_clear)
STUB(fdb_transaction_clear_range)
STUB(fdb_transaction_watch)
STUB(fdb_transaction_get_committed_version)
STUB(fdb_transaction_get_approximate_size)
STUB(fdb_transaction_get_versionstamp)
STUB(fdb_transaction_on_error)
STUB(fdb_transaction_reset)
STUB(fdb_transaction_add_conflict_range)
STUB(fdb_transaction_get_estimated_range_size_bytes)
STUB(fdb_transaction_get_range_split_points)

#endif
