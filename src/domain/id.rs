//! Identifiers: one type a noun, so that a volume's id can never be handed over as a snapshot's.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// The text is not one of our identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier")]
pub struct NotAnId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id. Version 7: ids made later sort later, which keeps the indexes of the catalog dense.
            #[cfg(feature = "ssr")]
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default id would be a different one each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id that these sixteen bytes name.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The sixteen bytes, as they stand in on-disk headers.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                // Only the one spelling that Display writes: a second one would be a second URL of the same thing.
                let id = Uuid::try_parse(text).map_err(|_| NotAnId)?;
                if id.hyphenated().to_string() == text { Ok(Self(id)) } else { Err(NotAnId) }
            }
        }
    )+};
}

ids! {
    /// A tenant.
    OrganizationId;
    /// A member of an organization.
    UserId;
    /// What somebody may become a member by.
    InvitationId;
    /// One pool and one hypervisor of the region.
    ZoneId;
    /// A virtual disk.
    VolumeId;
    /// A volume's content at one moment, saved to the region's object store.
    SnapshotId;
    /// The engine's immutable state of one volume.
    CheckpointId;
    /// Long work.
    JobId;
    /// A virtual machine.
    InstanceId;
    /// All the volumes of one instance at one moment.
    PointId;
    /// What a new instance is made from.
    TemplateId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let id = VolumeId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "",
            "x",
            "ABABABAB-abab-abab-abab-abababababab",
            "abababababababababababababababab",
            "../../etc",
        ] {
            assert_eq!(wrong.parse::<VolumeId>(), Err(NotAnId), "{wrong}");
        }
    }
}
