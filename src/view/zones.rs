//! What an operator sees: how the region's zones, its object store, its hypervisor and its long work stand.
//!
//! Numbers, times, kinds and words for the operator's own machine. What may never be in here: a name, an id or a reason
//! that belongs to an organization, the operator's own included.

use crate::domain::fault::Fault;
use crate::domain::job::{JobKind, JobState};
use crate::domain::moment::Moment;
use crate::domain::size::Bytes;
use serde::{Deserialize, Serialize};

/// Everything the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZonesView {
    /// What is amiss, the gravest first.
    pub troubles: Vec<Trouble>,
    /// The zones by name, then what they share.
    pub cards: Vec<Card>,
    /// The long work that goes on or waits, and what failed in the last day.
    pub work: Vec<WorkRow>,
}

/// Something that is amiss, and what can be done: the variant of a message, and what it is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Which.
    pub what: String,
    /// Whether something does not work because of it; else it only deserves a look.
    pub grave: bool,
    /// The zone's name; empty: it is about the region.
    pub subject: String,
    /// How many.
    pub count: u64,
    /// Since when.
    pub since: Option<Moment>,
    /// Technical words, a reference of the log, or the command that helps; they stand after the sentence.
    pub detail: String,
}

/// Part of the region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Which: the variant of the message that is its title, `zone` among them.
    pub what: String,
    /// The zone's name.
    pub name: String,
    /// What is known of it.
    pub facts: Vec<Fact>,
    /// What the zone's pool has and the catalog does not know.
    pub apart: Vec<Apart>,
}

/// Something that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Of what: the variant of a message.
    pub what: String,
    /// The value.
    pub value: Known,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// A number.
    Count(u64),
    /// A number of so many.
    CountOf(u64, u64),
    /// A size.
    Size(Bytes),
    /// What is taken of a room: drawn as a meter.
    Room(Bytes, Bytes),
    /// A size, as a share of another, that may be more than the whole.
    Share(Bytes, Bytes),
    /// An instant.
    When(Moment),
    /// A time that something took, in microseconds.
    Took(u64),
    /// The variant of a message.
    Word(String),
    /// A name, as it is.
    Name(String),
    /// Technical words, to the letter.
    Exact(String),
}

/// Something in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apart {
    /// `volume` or `checkpoint`.
    pub kind: String,
    /// The engine's id.
    pub id: String,
    /// When it was found.
    pub found: Moment,
}

/// Long work of one kind that stands alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkRow {
    /// What it is.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// How many.
    pub count: u32,
    /// When the oldest of them was asked for; of what failed, when the last of them ended.
    pub since: Moment,
    /// When the first of those that wait is tried again.
    pub next: Option<Moment>,
    /// Why; none where the reason is for its organization to know, or there is none.
    pub fault: Option<Fault>,
}
