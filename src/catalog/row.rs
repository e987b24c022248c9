//! How the types of `domain` stand in the tables: ids and words as text, faults as JSON, sizes as integers.

use crate::domain::fault::Fault;
use crate::domain::id::{
    CheckpointId, InstanceId, InvitationId, JobId, OrganizationId, PointId, SnapshotId, TemplateId,
    UserId, VolumeId, ZoneId,
};
use crate::domain::instance::{Accelerator, InstanceState};
use crate::domain::job::{JobKind, JobState};
use crate::domain::recovery::{Consistency, PointKind, PointState};
use crate::domain::role::{Door, Role};
use crate::domain::size::Bytes;
use crate::domain::snapshot::SnapshotState;
use crate::domain::template::TemplateState;
use crate::domain::volume::{VolumeKind, VolumeState};
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

/// What stands in a column is not what any version of Reprise writes there.
#[derive(Debug, thiserror::Error)]
#[error("{value:?} is not a known {what}")]
struct Unknown {
    what: &'static str,
    value: String,
}

macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.to_string()))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let text = value.as_str()?;
                text.parse().map_err(|_| {
                    FromSqlError::Other(Box::new(Unknown { what: stringify!($name), value: text.to_owned() }))
                })
            }
        }
    )+};
}

as_text!(
    CheckpointId,
    InstanceId,
    InvitationId,
    JobId,
    OrganizationId,
    PointId,
    SnapshotId,
    TemplateId,
    UserId,
    VolumeId,
    ZoneId
);

/// The word that serde writes for a variant without fields.
fn word<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(other) => Err(rusqlite::Error::ToSqlConversionFailure(Box::new(Unknown {
            what: "word",
            value: other.to_string(),
        }))),
        Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(Box::new(error))),
    }
}

macro_rules! as_word {
    ($($name:ident),+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                word(self).map(ToSqlOutput::from)
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let text = value.as_str()?;
                serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| {
                    FromSqlError::Other(Box::new(Unknown { what: stringify!($name), value: text.to_owned() }))
                })
            }
        }
    )+};
}

as_word!(
    Accelerator,
    Consistency,
    InstanceState,
    JobKind,
    JobState,
    PointKind,
    PointState,
    SnapshotState,
    TemplateState,
    VolumeKind,
    VolumeState,
    Door,
    Role
);

impl ToSql for Fault {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        serde_json::to_string(self)
            .map(ToSqlOutput::from)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    }
}

impl FromSql for Fault {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

impl ToSql for Bytes {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        i64::try_from(self.0)
            .map(ToSqlOutput::from)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    }
}

impl FromSql for Bytes {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number)
            .map(Self)
            .map_err(|_| FromSqlError::OutOfRange(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lists_are_narrowed_by_is_what_is_stored() {
        let stored = |value: &dyn ToSql| match value.to_sql() {
            Ok(ToSqlOutput::Owned(rusqlite::types::Value::Text(text))) => text,
            other => panic!("not a word: {other:?}"),
        };
        for state in VolumeState::ALL {
            assert_eq!(stored(&state), state.code());
        }
        for state in SnapshotState::ALL {
            assert_eq!(stored(&state), state.code());
        }
        for state in TemplateState::ALL {
            assert_eq!(stored(&state), state.code());
        }
        for state in InstanceState::ALL {
            assert_eq!(stored(&state), state.code());
        }
        for kind in VolumeKind::ALL {
            assert_eq!(stored(&kind), kind.code());
        }
        for door in Door::ALL {
            assert_eq!(stored(&door), door.code());
        }
    }
}
