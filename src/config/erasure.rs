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
            users: vec!["user_id".to_owned()],
            sessions: vec!["session_id".to_owned(), "replaced_session_ids".to_owned()],
        }
    }
}
