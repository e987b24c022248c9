//! What a list is narrowed by, in which order it stands, and where a page of it begins and ends.
//!
//! A page is three statements, whatever the number of rows: how many there are, the ids of those on the page, and then
//! everything about these alone (a row's counts and work would otherwise be looked up for each row that is sorted).
//! What may never be true: text of a user's within a statement. Conditions and orders come from closed lists; every
//! value is bound.

use super::{Context, Error};
use crate::domain::name::{folded, in_order};
use rusqlite::functions::FunctionFlags;
use rusqlite::types::FromSql;
use rusqlite::{Connection, ToSql, Transaction, params_from_iter};

/// What of a list is wanted. What a list does not know is as if it were not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrow {
    /// The page, from 1.
    pub page: u32,
    /// Words to be found, all of them.
    pub find: String,
    /// The column to sort by, `-` before it for the largest first.
    pub sort: String,
    /// A state.
    pub state: String,
    /// A zone's id.
    pub zone: String,
    /// A kind.
    pub kind: String,
    /// The id of what the rows belong to.
    pub of: String,
    /// A member's name, as the log has it.
    pub who: String,
    /// A door.
    pub door: String,
    /// Not before this instant, in milliseconds since 1970.
    pub from: Option<i64>,
    /// Before this instant.
    pub until: Option<i64>,
}

impl From<u32> for Narrow {
    /// A page of the whole list.
    fn from(page: u32) -> Self {
        Self {
            page,
            ..Self::default()
        }
    }
}

/// What the rows of a list have to be like.
pub(super) struct Conditions {
    sql: String,
    values: Vec<Box<dyn ToSql>>,
}

impl Conditions {
    /// `sql` with one `?` for `value`.
    pub fn new(sql: &str, value: impl ToSql + 'static) -> Self {
        Self {
            sql: sql.to_owned(),
            values: vec![Box::new(value)],
        }
    }

    /// And `sql`, each `?` of which is `value`; nothing where the value is empty.
    pub fn and(mut self, sql: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.sql.push_str(" AND ");
            self.sql.push_str(sql);
            for _ in sql.matches('?') {
                self.values.push(Box::new(value.to_owned()));
            }
        }
        self
    }

    /// And `sql`, the one `?` of which is the number.
    pub fn and_number(mut self, sql: &'static str, value: Option<i64>) -> Self {
        if let Some(value) = value {
            self.sql.push_str(" AND ");
            self.sql.push_str(sql);
            self.values.push(Box::new(value));
        }
        self
    }

    /// And each of the words stands in `text`, whatever its case and accents.
    pub fn find(mut self, text: &str, words: &str) -> Self {
        for word in words.split_whitespace() {
            self.sql.push_str(" AND instr(folded(");
            self.sql.push_str(text);
            self.sql.push_str("), ?) > 0");
            self.values.push(Box::new(folded(word)));
        }
        self
    }

    /// What follows WHERE.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The values of its marks.
    pub fn bound(&self) -> impl Iterator<Item = &dyn ToSql> {
        self.values.iter().map(|value| value.as_ref() as &dyn ToSql)
    }
}

/// The order of a list: by the column asked for, if `columns` has it; else, and among equals, as the list is by itself.
/// `own` is a list of columns, each with its direction.
pub(super) fn order(sort: &str, columns: &[(&str, &str)], own: &str) -> String {
    let (key, direction) = match sort.strip_prefix('-') {
        Some(key) => (key, "DESC"),
        None => (sort, "ASC"),
    };
    match columns.iter().find(|(known, _)| *known == key) {
        Some((_, column)) => format!("{column} {direction}, {own}"),
        None => own.to_owned(),
    }
}

/// Which rows a page has: their ids, in order. `tables` is what follows FROM, `id` the column of the id.
pub(super) fn on_page<T: FromSql>(
    tx: &Transaction<'_>,
    (tables, id): (&str, &str),
    conditions: &Conditions,
    order: &str,
    (page, limit): (u32, u32),
) -> Result<(Window, Vec<T>), Error> {
    let sql = format!("SELECT COUNT(*) FROM {tables} WHERE {}", conditions.sql);
    let total = tx
        .prepare_cached(&sql)
        .and_then(|mut query| {
            query.query_row(params_from_iter(conditions.bound()), |row| row.get(0))
        })
        .context("count a list's rows")?;
    let window = Window::of(total, page, limit);
    let sql = format!(
        "SELECT {id} FROM {tables} WHERE {} ORDER BY {order} LIMIT {} OFFSET {}",
        conditions.sql, window.limit, window.offset
    );
    let mut query = tx.prepare_cached(&sql).context("find a page's rows")?;
    let ids = query
        .query_map(params_from_iter(conditions.bound()), |row| row.get(0))
        .and_then(Iterator::collect)
        .context("find a page's rows")?;
    Ok((window, ids))
}

/// `?` for each of so many values.
pub(super) fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// The rows in the order of their ids.
pub(super) fn ordered<I: PartialEq, R>(
    ids: &[I],
    mut rows: Vec<R>,
    id: impl Fn(&R) -> I,
) -> Vec<R> {
    rows.sort_by_cached_key(|row| {
        let id = id(row);
        ids.iter().position(|known| *known == id)
    });
    rows
}

/// What lists need of SQLite: `folded(text)`, and the collation `names`.
pub(super) fn prepare(connection: &Connection) -> Result<(), Error> {
    connection
        .create_scalar_function(
            "folded",
            1,
            FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC,
            |context| Ok(folded(context.get_raw(0).as_str().unwrap_or_default())),
        )
        .context("define how names are searched")?;
    connection
        .create_collation("names", in_order)
        .context("define the order of names")
}

/// One page of rows, with what the page needs to say about the whole list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Rows of the whole list.
    pub total: u32,
    /// This page, from 1: the last one, when a page beyond it was asked for.
    pub page: u32,
    /// Number of pages, at least 1.
    pub pages: u32,
}

/// The window of rows to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub page: u32,
    pub pages: u32,
    pub total: u32,
    pub limit: u32,
    pub offset: u64,
}

impl Window {
    /// The window of page `page` (from 1) of `total` rows.
    pub fn of(total: u32, page: u32, limit: u32) -> Self {
        let limit = limit.max(1);
        let pages = total.div_ceil(limit).max(1);
        let page = page.clamp(1, pages);
        Self {
            page,
            pages,
            total,
            limit,
            offset: u64::from(page - 1) * u64::from(limit),
        }
    }

    pub fn with<T>(self, rows: Vec<T>) -> Paged<T> {
        Paged {
            rows,
            total: self.total,
            page: self.page,
            pages: self.pages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn a_page_beyond_the_last_is_the_last() {
        let window = |total, page| {
            let window = Window::of(total, page, 50);
            (window.page, window.pages, window.offset)
        };
        assert_eq!(window(0, 1), (1, 1, 0));
        assert_eq!(window(0, u32::MAX), (1, 1, 0));
        assert_eq!(window(50, 2), (1, 1, 0));
        assert_eq!(window(51, 2), (2, 2, 50));
        assert_eq!(window(51, 0), (1, 2, 0));
        assert_eq!(window(u32::MAX, u32::MAX).0, u32::MAX / 50 + 1);
    }
}
