//! What every engine promises, and what the operations do on each of them: one suite, run against all.
//!
//! A test is a function of an [`engines::UnderTest`], an empty store of its own. FoundationDB needs a cluster, named by
//! `ROOKERY_FDB_CLUSTER_FILE`; without one its suite says that it was skipped.

mod engines;
mod faulty;
mod groups;
mod lmdb;
mod nodes;
mod one_batch;
mod people;
mod probe;

/// Declares the suite's modules, and runs every test in them against every engine.
macro_rules! contract {
    ($($module:ident { $($test:ident)* })*) => {
        $(mod $module;)*

        mod on_memory {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::engines::within_deadline(crate::$module::$test(crate::engines::memory())).await;
                })*
            })*
        }

        mod on_lmdb {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::engines::within_deadline(crate::$module::$test(crate::engines::lmdb())).await;
                })*
            })*
        }

        /// In one test, because the client library starts once in a process, and has to be stopped.
        #[test]
        fn foundationdb_keeps_the_contract() {
            let tests: Vec<(&str, engines::Contract)> = vec![$($((
                concat!(stringify!($module), "::", stringify!($test)),
                |under_test| Box::pin($module::$test(under_test)),
            )),*),*];
            engines::run_on_foundationdb(tests);
        }
    };
}

contract! {
    accounts {
        a_handle_belongs_to_one_user_and_adding_again_changes_nothing
        a_removed_user_leaves_no_handle_device_cursor_or_event
        a_user_is_last_seen_at_the_latest_time_and_nobody_at_all_who_is_no_more
        a_device_is_found_by_its_name_and_numbers_are_not_used_again
        a_user_has_at_most_so_many_devices
        revoking_a_generation_twice_revokes_it_once
        a_suspended_user_keeps_everything_and_sends_nothing
    }
    acks {
        a_cursor_never_goes_back
        only_what_every_device_has_is_trimmed
        an_acknowledgement_moves_the_mark_and_tells_the_sender_once
        a_removed_device_acknowledges_nothing
    }
    atomicity {
        a_snapshot_sees_all_of_an_operation_or_nothing
        operations_of_one_batch_commit_with_one_stamp
    }
    audiences {
        each_aspect_is_seen_by_its_own_audience
    }
    bans {
        a_ban_is_listed_replaced_and_taken_away
        a_ban_that_is_made_again_meanwhile_does_not_end_with_its_time
        there_are_at_most_so_many_bans
    }
    batch_limits {
        an_operation_over_a_limit_is_answered_alone_while_others_commit
        operations_beyond_one_batch_commit_in_several
        operations_that_write_more_than_they_said_commit_in_several_and_in_order
        a_full_queue_refuses_at_once
        who_observes_hears_what_commits_have_written
    }
    blocks {
        what_was_refused_does_not_come_true_from_an_older_connection
        who_is_blocked_or_has_blocked_sends_nothing_until_that_ends
        a_block_ends_a_conversation_at_one_place
        a_block_and_a_message_of_one_batch_keep_their_order
        who_is_blocked_gets_no_receipts
        what_is_read_is_shown_when_both_want_that
        notes_to_oneself_are_read_whatever_one_shows
        who_may_be_added_to_groups_says_who_is_added
        nobody_adds_whom_they_have_blocked_and_members_stay
    }
    channels {
        channels_are_listed_in_pages_and_other_groups_passed_over
        following_is_told_to_the_follower_alone_and_again_changes_nothing
        what_is_no_channel_is_not_followed
        a_user_follows_at_most_so_many_channels
        many_who_follow_at_once_are_all_counted
        a_removed_account_follows_nothing
        an_account_is_not_removed_while_one_channel_is_left_in_its_batch
        a_follower_reads_and_lists_like_a_member
    }
    chats {
        the_first_message_lists_a_conversation_to_both_and_none_after_it_does
        what_is_set_twice_is_told_once
        a_removed_user_leaves_no_chat_and_nothing_hidden
        what_was_hidden_is_forgotten_with_its_message
        a_membership_is_forgotten_with_how_its_group_was_shown
        what_is_noted_of_edits_goes_with_the_messages
        a_log_is_searched_by_time_as_if_clocks_never_went_back
    }
    checks {
        a_store_in_use_has_nothing_wrong_and_all_of_it_is_counted
        a_check_goes_on_where_another_has_come
        a_check_finds_nothing_while_others_write
        what_is_spoilt_is_found_and_nothing_else
        what_was_right_again_at_the_second_look_is_not_said
    }
    checks_of_chats {
        what_is_wrong_with_chats_and_hidden_messages_is_found
        what_is_wrong_with_edits_and_deletions_is_found
    }
    contention {
        increments_from_two_stores_are_all_counted
        a_value_written_between_is_what_the_operation_sees
    }
    direct_messages {
        seqs_are_dense_under_concurrent_senders
        a_message_sent_again_answers_the_first_seq
        a_chain_is_refused_where_a_link_is_missing
        a_message_to_nobody_is_refused
        a_revoked_device_sends_nothing
        both_inboxes_point_at_the_message
        notes_to_oneself_arrive_once
    }
    expiry {
        a_message_is_emptied_at_its_time_and_keeps_its_place
        what_adds_to_a_message_disappears_with_it_and_nothing_else
        nothing_refers_to_what_has_disappeared_or_to_a_timer
        a_groups_timer_is_left_to_its_admins_where_editing_is
        what_was_deleted_or_trimmed_before_its_time_is_left_so
        emptying_and_what_else_happens_in_one_batch_agree
        what_is_wrong_with_messages_that_disappear_is_found
    }
    group_accounts {
        a_removed_account_leaves_its_groups_as_if_its_user_had
        a_removal_that_was_interrupted_goes_on_and_leaves_once
        an_account_is_not_removed_while_one_group_is_left_in_its_batch
        who_is_added_while_being_removed_is_no_member_in_the_end
    }
    group_admins_at_once {
        who_comes_second_in_a_batch_finds_what_the_first_has_made
        one_of_two_comes_second_when_both_ask_at_once
        of_two_for_the_last_place_one_gets_it
        many_who_do_anything_at_once_leave_a_group_that_its_log_tells_of
    }
    group_authors {
        a_suspended_user_stays_a_member_and_does_nothing
        a_revoked_device_does_nothing_in_groups
    }
    group_creation {
        a_new_group_has_its_maker_as_admin_and_everybody_has_its_first_entry
        a_group_made_again_is_the_same_even_when_its_log_is_gone
        a_number_that_another_group_has_is_refused
        who_is_named_twice_is_in_a_new_group_once
        nobody_makes_a_group_with_somebody_who_is_not_there_or_too_many
    }
    group_members {
        who_is_added_sees_the_group_from_then_on
        a_backlog_lets_new_members_see_so_much_from_before
        who_is_removed_gets_that_and_nothing_after
        who_comes_back_sees_the_group_from_then_on
        when_the_last_admin_leaves_the_oldest_member_becomes_one
        when_the_last_member_leaves_the_group_is_no_more
        a_deleted_group_ends_for_everybody_at_once
        nobody_adds_somebody_who_is_not_there
        a_full_group_takes_nobody_until_somebody_goes
    }
    group_messages {
        a_message_is_in_every_members_inbox_at_one_place
        a_message_sent_to_a_group_again_answers_the_first_seq
        who_is_no_member_sends_nothing_whether_there_is_a_group_or_not
        a_groups_seqs_are_dense_under_concurrent_senders
    }
    group_operators {
        who_is_taken_out_has_left_and_keeps_what_was_seen
        when_the_last_member_is_taken_out_the_group_is_no_more
        a_group_that_is_ended_ends_for_everybody_in_an_admins_name
    }
    group_reading {
        reading_tells_nobody_but_the_reader
        acknowledging_moves_the_mark_and_tells_nobody
        who_is_no_member_reads_nothing
    }
    group_retries {
        a_change_made_again_after_an_unknown_outcome_is_made_once
        the_end_of_a_group_asked_for_again_is_answered_as_before
        what_is_asked_for_twice_in_one_batch_happens_once
    }
    group_rights {
        admins_do_everything_whatever_the_settings
        members_do_what_the_settings_leave_to_them_and_no_more
        who_is_no_member_changes_nothing_whether_there_is_a_group_or_not
        what_would_change_nothing_is_refused_and_leaves_no_entry
    }
    group_roles {
        admins_are_made_and_unmade_by_admins
        the_last_admin_stays_one
        texts_and_settings_are_what_they_were_changed_to
    }
    idempotency {
        a_message_sent_again_after_an_unknown_outcome_is_there_once
        an_acknowledgement_again_after_an_unknown_outcome_tells_once
        nothing_is_answered_before_its_commit
    }
    mailboxes {
        mail_is_there_in_order_until_it_is_taken
        a_bell_wakes_with_each_post
        a_post_tried_again_is_there_once
        who_is_no_member_gets_no_mail
        mail_goes_with_the_run_of_the_node_it_is_for
        so_much_mail_may_wait_and_each_be_so_long
    }
    membership {
        who_joins_is_in_the_view_and_has_a_lease
        a_join_tried_again_after_an_unknown_outcome_makes_no_second_incarnation
        a_join_that_comes_late_takes_nobodys_place
        incarnations_never_repeat_after_removal
        a_lease_counts_its_renewals_until_its_node_is_replaced_or_removed
        who_has_renewed_since_is_not_removed
        only_the_run_that_is_named_is_removed
        two_who_remove_the_same_node_make_one_step
        a_cluster_has_so_many_nodes_and_no_longer_addresses
    }
    order {
        stamps_grow_with_commit_order_under_concurrent_writers
        stamps_of_two_stores_on_the_same_data_never_fall_behind
        operations_of_one_key_commit_in_the_order_of_submission
    }
    overlay {
        an_operation_sees_what_those_before_it_in_the_batch_wrote
        a_range_sees_puts_deletes_and_cleared_ranges_of_its_batch
        a_limited_range_has_no_gap_where_its_batch_deleted
        a_cleared_range_takes_stamped_keys_of_its_batch_along
        an_empty_or_reversed_range_is_empty_and_clears_nothing
    }
    panics {
        a_panicking_operation_hurts_no_other
        a_panic_while_declaring_reads_hurts_no_other
        a_panicking_callback_hurts_no_other
    }
    ranges {
        a_range_is_in_order_both_ways_and_limited
        a_range_begins_at_its_first_key_and_ends_before_its_last
        keys_fetched_together_keep_their_order
    }
    reading {
        a_read_mark_is_clamped_to_the_head_and_both_sides_are_told
        marks_never_go_back
    }
    references {
        what_is_about_a_message_is_an_entry_and_leaves_it_as_it_was
        nothing_refers_to_what_is_not_there_or_is_about_another
        a_change_of_a_group_is_nothing_to_refer_to
        a_message_is_edited_by_its_sender_for_a_while_and_so_often
        what_is_deleted_and_its_edits_say_nothing_any_more
        an_edit_and_the_deletion_of_one_batch_leave_nothing_said
        admins_delete_what_others_have_said_and_edit_nothing
        who_joined_later_refers_to_nothing_from_before
        what_a_shadow_banned_user_says_about_messages_changes_nothing_for_others
    }
    reopening {
        what_was_committed_is_there_after_reopening
        stamps_go_on_after_reopening
        a_closed_store_ends_what_it_took_and_takes_no_more
    }
    reports {
        reports_wait_in_their_order_until_they_are_resolved
        a_report_that_is_sent_again_while_it_waits_is_there_once
        a_report_is_new_when_the_one_before_has_been_dealt_with
        a_report_is_of_somebody_and_from_where_the_reporter_is_or_was
        what_was_reported_is_kept_when_its_sender_deletes_it
        a_report_names_only_what_the_reporter_may_see
        so_many_reports_wait_of_one_user_and_of_all
    }
    retention {
        old_messages_go_with_their_ids_and_events_and_fresh_ones_stay
        steps_are_bounded_and_reach_the_end
        a_removed_users_inbox_is_found
        receipts_go_with_the_messages_they_are_about
        changes_of_what_is_a_users_own_go_at_their_age
        what_has_no_time_goes_with_what_is_behind_it_however_much_it_is
        a_groups_log_is_trimmed_and_memberships_that_ended_before_what_is_left_are_forgotten
        a_membership_that_began_anew_is_not_forgotten
    }
    settings {
        what_is_set_is_read_and_the_users_devices_learn_it_once
        what_an_older_connection_asked_is_not_done_after_what_a_newer_one_did
        people_are_what_was_last_said_of_them
        nothing_is_kept_for_nobody_or_of_nobody
        a_removed_user_leaves_no_settings_profile_or_people
        so_many_people_are_anything_to_a_user
        what_is_set_again_after_an_unknown_outcome_is_told_once
    }
    shadow_bans {
        what_a_shadow_banned_user_sends_is_accepted_and_nobody_else_has_it
        what_operators_say_of_an_account_is_its_own_and_outlasts_other_changes
    }
    slots {
        who_joins_takes_its_share_and_nothing_else_moves
        who_leaves_or_crashes_gives_its_own_slots_and_nothing_else_moves
        a_node_that_crashed_and_joins_before_it_was_missed_moves_nothing
        moves_in_steps_end_where_weights_want_them_and_move_nothing_twice
        a_draining_node_gives_all_it_has_and_gets_it_back_when_it_joins_again
        a_crash_in_the_midst_of_a_move_moves_only_the_crashed_ones_slots
        slots_are_never_nobodys_while_there_are_members
    }
    snapshots {
        a_snapshot_stays_as_it_was
        a_snapshot_shows_every_commit_whose_outcome_was_told
        a_snapshots_version_grows_with_each_commit_and_never_goes_back
    }
    watches {
        a_watch_wakes_when_its_key_changes
        a_change_before_the_first_poll_is_not_missed
        a_watch_sleeps_while_other_keys_change
        a_cleared_range_wakes_too
    }
}
