//! Finding objects of every kind by words: one statement a kind, whatever there is.
//!
//! What an object is found by is the same here and in its list, so that a list narrowed to the same words shows the rest.

use super::paging::Conditions;
use super::{Catalog, Context, Error};
use crate::domain::id::OrganizationId;
use crate::domain::search::{Kind, Target, Word};
use rusqlite::types::FromSql;
use rusqlite::{Row, Transaction, params_from_iter};

/// What an instance is found by.
pub(super) const INSTANCE: &str = "i.name || ' ' || z.name";
/// What a volume is found by.
pub(super) const VOLUME: &str = "v.name || ' ' || COALESCE(i.name, '') || ' ' || z.name";
/// What a snapshot is found by.
pub(super) const SNAPSHOT: &str =
    "s.name || ' ' || s.volume_name || ' ' || COALESCE(z.name, s.place, '')";
/// What a recovery point is found by.
const POINT: &str = "p.name || ' ' || p.description || ' ' || i.name";
/// What a template is found by.
pub(super) const TEMPLATE: &str = "t.name || ' ' || t.description || ' ' || t.origin";

/// Objects of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The kind.
    pub kind: Kind,
    /// How many there are.
    pub total: u32,
    /// The first of them.
    pub hits: Vec<Hit>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Which, and where it stands.
    pub target: Target,
    /// Its name.
    pub name: String,
    /// The name of what it belongs to; empty where it belongs to nothing.
    pub of: String,
    /// The zone's name; empty where it is in all of them.
    pub zone: String,
    /// When it was made or taken, in milliseconds since 1970.
    pub at: i64,
}

/// How one kind stands in the tables.
struct Shape {
    kind: Kind,
    tables: &'static str,
    /// The alias of its own table.
    own: &'static str,
    text: &'static str,
    of: &'static str,
    zone: &'static str,
    at: &'static str,
    only: &'static str,
}

const SHAPES: [Shape; 5] = [
    Shape {
        kind: Kind::Instance,
        tables: "instances i JOIN zones z ON z.id = i.zone",
        own: "i",
        text: INSTANCE,
        of: "''",
        zone: "z.name",
        at: "i.created",
        only: "i.organization = ?",
    },
    Shape {
        kind: Kind::Volume,
        tables: "volumes v JOIN zones z ON z.id = v.zone LEFT JOIN instances i ON i.id = v.instance",
        own: "v",
        text: VOLUME,
        of: "COALESCE(i.name, '')",
        zone: "z.name",
        at: "v.created",
        only: "v.organization = ?",
    },
    Shape {
        kind: Kind::Snapshot,
        tables: "snapshots s LEFT JOIN zones z ON z.id = s.zone",
        own: "s",
        text: SNAPSHOT,
        of: "s.volume_name",
        zone: "''",
        at: "s.taken",
        only: "s.organization = ?",
    },
    // Safety points are found beside the rollback that made them, not by the name they took from it.
    Shape {
        kind: Kind::Point,
        tables: "points p JOIN instances i ON i.id = p.instance JOIN zones z ON z.id = i.zone",
        own: "p",
        text: POINT,
        of: "i.name",
        zone: "z.name",
        at: "p.taken",
        only: "p.kind = 'made' AND p.organization = ?",
    },
    Shape {
        kind: Kind::Template,
        tables: "templates t",
        own: "t",
        text: TEMPLATE,
        of: "t.origin",
        zone: "''",
        at: "t.created",
        only: "t.organization = ?",
    },
];

impl Catalog {
    /// What of the organization has all of the words: of each kind so many at most, first those whose name they are, then
    /// those whose name begins with them, then the newest.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn search(
        &self,
        organization: OrganizationId,
        words: &[Word],
        limit: u32,
    ) -> Result<Vec<Found>, Error> {
        self.read(|tx| {
            let find = |shape| one_kind(tx, shape, organization, words, limit);
            SHAPES.iter().map(find).collect()
        })
    }
}

fn one_kind(
    tx: &Transaction<'_>,
    shape: &Shape,
    organization: OrganizationId,
    words: &[Word],
    limit: u32,
) -> Result<Found, Error> {
    let Shape {
        tables,
        own,
        text,
        of,
        zone,
        at,
        ..
    } = shape;
    let mut conditions = Conditions::new(shape.only, organization);
    let mut typed = Vec::new();
    for word in words
        .iter()
        .filter(|word| !word.names.contains(&shape.kind))
    {
        conditions = if word.may_be_id() {
            let sql =
                format!("(instr(folded({text}), ?) > 0 OR substr({own}.id, 1, length(?)) = ?)");
            conditions.and(&sql, &word.text)
        } else {
            conditions.find(text, &word.text)
        };
        typed.push(word.text.as_str());
    }
    let typed = typed.join(" ");
    // A point stands below its instance.
    let above = if shape.kind == Kind::Point {
        "p.instance"
    } else {
        "NULL"
    };
    let sql = format!(
        "SELECT {own}.id, {own}.state, {own}.name, {of}, {zone}, {at}, COUNT(*) OVER (), {above}
         FROM {tables} WHERE {}
         ORDER BY folded({own}.name) = ? DESC, instr(folded({own}.name), ?) = 1 DESC, {at} DESC, {own}.id DESC
         LIMIT {limit}",
        conditions.sql()
    );
    let mut query = tx.prepare_cached(&sql).context("search")?;
    let values = conditions.bound().chain([&typed as _, &typed as _]);
    let rows = query
        .query_map(params_from_iter(values), |row| {
            Ok((row.get(6)?, hit_at(shape.kind, row)?))
        })
        .and_then(Iterator::collect::<Result<Vec<(u32, Hit)>, _>>)
        .context("search")?;
    Ok(Found {
        kind: shape.kind,
        total: rows.first().map_or(0, |(total, _)| *total),
        hits: rows.into_iter().map(|(_, hit)| hit).collect(),
    })
}

fn hit_at(kind: Kind, row: &Row<'_>) -> rusqlite::Result<Hit> {
    fn both<I: FromSql, S: FromSql>(row: &Row<'_>) -> rusqlite::Result<(I, S)> {
        Ok((row.get(0)?, row.get(1)?))
    }
    let target = match kind {
        Kind::Instance => both(row).map(|(id, state)| Target::Instance(id, state)),
        Kind::Volume => both(row).map(|(id, state)| Target::Volume(id, state)),
        Kind::Snapshot => both(row).map(|(id, state)| Target::Snapshot(id, state)),
        Kind::Template => both(row).map(|(id, state)| Target::Template(id, state)),
        Kind::Point => {
            let instance = row.get(7)?;
            both(row).map(|(id, state)| Target::Point(instance, id, state))
        }
    };
    Ok(Hit {
        target: target?,
        name: row.get(2)?,
        of: row.get(3)?,
        zone: row.get(4)?,
        at: row.get(5)?,
    })
}
