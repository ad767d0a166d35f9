//! Whole lessons told in commands and expected events, in virtual time. One file per behavior.

mod a_budget_is_kept;
mod a_crowd_gets_counts;
mod a_large_lesson_opens;
mod an_erased_person;
mod chat_is_exactly_once;
mod class;
mod everybody_moves;
mod hands_and_floor;
mod limits_are_hit;
mod media_orders;
mod no_adult_no_class;
mod order_in_the_room;
mod several_nodes;
mod the_door;
mod the_journal_answers_late;
mod the_last_few_speakers;
mod the_store_fails;
mod versions_side_by_side;
