//! What all files of a pool have in common: version, names, little-endian fields.

use std::fmt;

/// Version of the maps and the logs; `pool.db` counts its own. Version 0 may change without migration until a release is
/// tagged.
pub const VERSION: u32 = 0;

/// The folder of the layers, from the pool's folder.
pub(crate) const LAYERS: &str = "layers";

/// The suffix of files that are not finished; whoever finds one may delete it.
pub(crate) const TEMPORARY: &str = ".tmp";

/// The pool's own number of a layer; never 0, never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LayerId(pub(crate) u64);

impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a name in [`LAYERS`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Data(LayerId),
    Log(LayerId),
    Map(LayerId, u64),
}

impl LayerId {
    pub(crate) const fn parent(raw: u64) -> Option<Self> {
        if raw == 0 { None } else { Some(Self(raw)) }
    }

    pub(crate) fn data(self) -> String {
        format!("{LAYERS}/{self}.data")
    }

    pub(crate) fn log(self) -> String {
        format!("{LAYERS}/{self}.log")
    }

    pub(crate) fn map(self, generation: u64) -> String {
        format!("{LAYERS}/{self}.{generation}.map")
    }
}

impl Name {
    /// Reads a name as [`crate::engine::storage::Storage::list`] gives it; none of ours when it is none of these.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(LAYERS)?.strip_prefix('/')?;
        let mut parts = rest.split('.');
        let layer = LayerId(parts.next()?.parse().ok().filter(|id| *id != 0)?);
        let found = match (parts.next()?, parts.next(), parts.next()) {
            ("data", None, None) => Self::Data(layer),
            ("log", None, None) => Self::Log(layer),
            (generation, Some("map"), None) => Self::Map(layer, generation.parse().ok()?),
            _ => return None,
        };
        (found.to_string() == name).then_some(found)
    }

    pub(crate) fn layer(self) -> LayerId {
        match self {
            Self::Data(layer) | Self::Log(layer) | Self::Map(layer, _) => layer,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(layer) => f.write_str(&layer.data()),
            Self::Log(layer) => f.write_str(&layer.log()),
            Self::Map(layer, generation) => f.write_str(&layer.map(*generation)),
        }
    }
}

/// Puts bytes at a fixed place of a header.
pub(crate) trait Field {
    fn put(&mut self, at: usize, bytes: &[u8]);
}

impl Field for [u8] {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}

/// The number at a fixed place of a header whose length was checked; 0 beyond its end.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|field| field.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

/// As [`u32_at`].
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..at + 8)
        .and_then(|field| field.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}
