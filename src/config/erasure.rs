//! `erasure`: which columns hold people, with the defaults.

/// Which columns, and fields of records, hold the ids of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureConfig {
    /// The ids of users.
    pub users: Vec<String>,
    /// The ids of sessions, alone or in lists.
    pub sessions: Vec<String>,
}

impl Default for ErasureConfig {
    fn default() -> Self {
        Self {
            users: vec!["user_id".to_owned(), "person_id".to_owned()],
            sessions: [
                "session_id",
                "given_session_id",
                "sent_session_id",
                "replaced_session_ids",
            ]
            .map(str::to_owned)
            .into(),
        }
    }
}
