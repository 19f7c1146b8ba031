//! What every store must do (`cases`), what those of SQLite and of PostgreSQL must do besides (`sqlite`, `postgres`), and
//! that filters and aggregates mean in SQL what they mean in memory (`filters`, `aggregates`).
//!
//! A new case is a function in `cases` and a line in `suite!`; it runs on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests; clippy.toml allows it only within functions marked as such, not in their helpers"
)]

mod aggregates;
mod backups;
mod cases;
mod directory;
mod filters;
mod postgres;
mod sqlite;

mod world;

/// One test per case and database, so that a failure has a name.
macro_rules! suite {
    ($($module:ident :: { $($case:ident),+ $(,)? }),+ $(,)?) => {
        mod on_sqlite {
            $(mod $module {
                $(#[tokio::test]
                async fn $case() {
                    crate::cases::$module::$case(&crate::sqlite::world().await).await;
                })+
            })+
        }
        mod on_postgres {
            $(mod $module {
                $(#[tokio::test]
                async fn $case() {
                    crate::cases::$module::$case(&crate::postgres::world().await).await;
                })+
            })+
        }
    };
}

suite! {
    records::{
        every_type_of_value_comes_back_as_it_was_written,
        an_update_writes_only_the_changed_fields,
        an_update_of_another_version_is_stale,
        a_delete_of_another_version_is_stale,
        a_taken_value_names_its_rule,
        a_reference_must_lead_somewhere,
        a_batch_is_written_whole_or_not_at_all,
        records_are_found_by_many_ids,
        overlaps_are_half_open_and_obey_the_condition,
    },
    pages::{
        pages_cover_every_record_once_in_order,
        a_page_has_only_the_fields_that_were_asked_for,
        counts_ignore_the_page,
        a_cursor_of_another_order_is_refused,
    },
    units::{
        a_dropped_unit_wrote_nothing,
        a_unit_of_one_step_is_all_or_nothing_and_so_is_the_next,
        what_waits_is_seen_by_whoever_asks,
        of_units_that_run_together_only_those_fail_that_do_not_fit,
        savepoints_nest,
        a_reader_sees_one_state,
        concurrent_units_are_all_kept_and_a_failing_one_is_undone_alone,
        an_error_leaves_the_rest_of_the_unit_usable,
    },
    timers::{
        timers_are_set_moved_fired_and_put_off,
        a_claimed_timer_is_nobody_elses_until_then,
        own_timers_are_set_anew_listed_counted_and_cleared,
        an_own_timer_that_is_set_anew_while_it_is_fired_stays,
        own_timers_are_traces_of_whom_they_mention,
    },
    system::{
        claimed_events_are_nobody_elses_until_then,
        events_are_told_in_order_and_trimmed_when_all_were_told,
        sequences_do_not_come_back_after_a_trim,
        an_answer_lasts_until_it_expires,
        plugins_settings_tokens_and_users_are_kept,
    },
    bin::{
        a_deletion_is_kept_listed_and_taken_out_with_its_items,
        the_oldest_deletions_are_emptied_first,
    },
    purge::{
        traces_are_read_in_pages,
        what_is_named_is_forgotten_and_the_rest_stays,
        notes_of_purges_last_until_they_are_taken_out,
        timers_and_expired_answers_are_listed_for_the_doctor,
    },
    search::{
        entries_are_found_by_words_beginnings_and_keys_newest_first,
        an_entry_is_replaced_and_taken_out,
        an_undone_unit_leaves_no_entry,
        how_far_an_object_is_indexed_is_kept,
    },
    counters::{
        referring_records_are_tallied_by_parent_and_condition,
        dates_and_decimals_keep_their_extremes,
        numbers_are_taken_with_the_unit_and_not_without,
        balances_are_set_found_and_listed_in_order,
    },
    conversion::{
        a_conversion_goes_on_where_it_was_cut_off_and_takes_in_what_was_written_since,
        an_abandoned_conversion_leaves_the_old_values_and_begins_anew,
    },
    schema::{
        a_plan_is_empty_once_applied,
        added_fields_become_columns_and_records_stay,
        a_changed_type_is_refused_by_name,
        a_rule_that_stored_records_break_is_refused,
        a_unique_rule_goes_with_its_declaration,
    },
}
