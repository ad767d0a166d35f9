//! What columns of many tables hold.

use uuid::Uuid;

use super::StorageError;

pub fn id(text: &str) -> Result<Uuid, StorageError> {
    Uuid::parse_str(text).map_err(|_| StorageError::Corrupt { what: "id", value: text.to_owned() })
}
