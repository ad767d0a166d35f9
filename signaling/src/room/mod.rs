//! The pure state machine of one lesson.
