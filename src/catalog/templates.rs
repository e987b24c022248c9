//! Templates: intents and proofs. Their content is a snapshot of its own in the archive, which no list shows.

use super::jobs::{JOB, Job, LIVE, job_at};
use super::paging::{Conditions, Narrow, Paged, marks, on_page, order, ordered};
use super::{Catalog, Context, Error, search};
use crate::domain::fault::Fault;
use crate::domain::id::{OrganizationId, SnapshotId, TemplateId};
use crate::domain::size::Bytes;
use crate::domain::template::TemplateState;
use rusqlite::{OptionalExtension, Row, Transaction, named_params, params_from_iter};

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its id.
    pub id: TemplateId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Its name.
    pub name: String,
    /// What its maker wrote.
    pub description: String,
    /// Where it stands.
    pub state: TemplateState,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// The snapshot in the archive that holds it.
    pub content: SnapshotId,
    /// Size of the disk.
    pub size: Bytes,
    /// Bytes that hold data; none until it is made.
    pub data: Option<Bytes>,
    /// The name of the snapshot or of the file it was made from.
    pub origin: String,
    /// When it was asked for.
    pub created: i64,
    /// Whether another server made it.
    pub elsewhere: bool,
}

/// A row of the list of templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTemplate {
    /// The template.
    pub template: Template,
    /// The work at hand on it.
    pub job: Option<Job>,
}

const COLUMNS: &str =
    "t.id, t.organization, t.name, t.description, t.state, t.fault, t.content, t.size, t.data,
                       t.origin, t.created, t.elsewhere";

fn template_at(row: &Row<'_>) -> rusqlite::Result<Template> {
    Ok(Template {
        id: row.get(0)?,
        organization: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        state: row.get(4)?,
        fault: row.get(5)?,
        content: row.get(6)?,
        size: row.get(7)?,
        data: row.get(8)?,
        origin: row.get(9)?,
        created: row.get(10)?,
        elsewhere: row.get(11)?,
    })
}

impl Catalog {
    /// A page of the organization's templates, newest first unless asked for otherwise. Three statements, whatever the
    /// number of rows.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn list_templates(
        &self,
        organization: OrganizationId,
        narrow: &Narrow,
        limit: u32,
    ) -> Result<Paged<ListedTemplate>, Error> {
        let conditions = Conditions::new("t.organization = ?", organization)
            .and("t.state = ?", &narrow.state)
            .find(search::TEMPLATE, &narrow.find);
        let columns = [
            ("name", "t.name COLLATE names"),
            ("state", "t.state"),
            ("size", "t.size"),
            ("data", "t.data"),
            ("origin", "t.origin COLLATE names"),
            ("created", "t.created"),
        ];
        let order = order(&narrow.sort, &columns, "t.created DESC, t.id DESC");
        self.read(|tx| {
            let page = (narrow.page, limit);
            let (window, ids) =
                on_page::<TemplateId>(tx, ("templates t", "t.id"), &conditions, &order, page)?;
            let sql = format!(
                "SELECT {COLUMNS}, {JOB}
                 FROM templates t LEFT JOIN jobs j ON j.subject = t.id AND j.state IN {LIVE}
                 WHERE t.id IN ({})",
                marks(ids.len())
            );
            let mut query = tx.prepare_cached(&sql).context("list the templates")?;
            let rows = query.query_map(params_from_iter(&ids), |row| {
                Ok(ListedTemplate {
                    template: template_at(row)?,
                    job: job_at(row, 12)?,
                })
            });
            let rows = rows
                .and_then(Iterator::collect)
                .context("list the templates")?;
            Ok(window.with(ordered(&ids, rows, |row: &ListedTemplate| row.template.id)))
        })
    }

    /// The organization's templates that are ready, by name: the first `limit` of them.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn ready_templates(
        &self,
        organization: OrganizationId,
        limit: u32,
    ) -> Result<Vec<Template>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {COLUMNS} FROM templates t WHERE t.organization = ?1 AND t.state = 'ready'
                 ORDER BY t.name_key LIMIT ?2"
            );
            let mut query = tx
                .prepare_cached(&sql)
                .context("list the templates that are ready")?;
            query
                .query_map((organization, limit), template_at)
                .and_then(Iterator::collect)
                .context("list the templates that are ready")
        })
    }

    /// The template, whoever owns it: for the program's own work. Members ask with [`template_of`].
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn template(&self, id: TemplateId) -> Result<Option<Template>, Error> {
        self.read(|tx| {
            tx.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM templates t WHERE t.id = ?1"
            ))
            .and_then(|mut query| query.query_row([id], template_at).optional())
            .context("find a template")
        })
    }

    /// Templates in a passing state that no live work will move on.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn stranded_templates(&self) -> Result<Vec<Template>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {COLUMNS} FROM templates t WHERE t.state IN ('creating', 'deleting')
                   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = t.id AND j.state IN {LIVE})"
            );
            let mut query = tx
                .prepare_cached(&sql)
                .context("look for stranded templates")?;
            query
                .query_map([], template_at)
                .and_then(Iterator::collect)
                .context("look for stranded templates")
        })
    }

    /// What the work that made the template was told: JSON, as its job keeps it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn import_of_template(&self, id: TemplateId) -> Result<Option<String>, Error> {
        self.read(|tx| {
            tx.prepare_cached(
                "SELECT args FROM jobs WHERE subject = ?1 AND kind = 'import-template' ORDER BY asked DESC LIMIT 1",
            )
            .and_then(|mut query| query.query_row([id], |row| row.get(0)).optional())
            .context("look for a template's import")
        })
    }

    /// Writes down what the archive says of the content, once it is there.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn set_template_data(&self, id: TemplateId, data: Bytes) -> Result<(), Error> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE templates SET data = ?2 WHERE id = ?1")
                .and_then(|mut update| update.execute((id, data)))
                .context("write a template's figures")?;
            Ok(())
        })
    }
}

/// The template, if it belongs to the organization: to everybody else it does not exist.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn template_of(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    id: TemplateId,
) -> Result<Option<Template>, Error> {
    tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM templates t WHERE t.id = ?1 AND t.organization = ?2"
    ))
    .and_then(|mut query| query.query_row((id, organization), template_at).optional())
    .context("find a template")
}

/// Whether a template of the organization has this name, in any case.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn template_name_taken(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    name: &str,
) -> Result<bool, Error> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM templates WHERE organization = ?1 AND name_key = ?2)",
    )
    .and_then(|mut query| query.query_row((organization, name.to_lowercase()), |row| row.get(0)))
    .context("look for a template's name")
}

/// Writes a new template.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn insert_template(tx: &Transaction<'_>, template: &Template) -> Result<(), Error> {
    let sql = "INSERT INTO templates (id, organization, name, name_key, description, state, content, size, data, origin,
                                      created, elsewhere)
               VALUES (:id, :organization, :name, :name_key, :description, :state, :content, :size, :data, :origin,
                       :created, :elsewhere)";
    tx.prepare_cached(sql)
        .and_then(|mut insert| {
            insert.execute(named_params! {
                ":id": template.id,
                ":organization": template.organization,
                ":name": template.name,
                ":name_key": template.name.to_lowercase(),
                ":description": template.description,
                ":state": template.state,
                ":content": template.content,
                ":size": template.size,
                ":data": template.data,
                ":origin": template.origin,
                ":created": template.created,
                ":elsewhere": template.elsewhere,
            })
        })
        .context("write a template")?;
    Ok(())
}

/// Moves the template from one state to another. False, and nothing done, when it is not in `from` (any more).
///
/// # Errors
/// [`Error::Sqlite`].
pub fn move_template(
    tx: &Transaction<'_>,
    id: TemplateId,
    from: TemplateState,
    to: TemplateState,
    fault: Option<&Fault>,
) -> Result<bool, Error> {
    tx.prepare_cached("UPDATE templates SET state = ?3, fault = ?4 WHERE id = ?1 AND state = ?2")
        .and_then(|mut update| update.execute((id, from, to, fault)))
        .map(|rows| rows == 1)
        .context("move a template on")
}

/// Forgets a template that is gone.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn forget_template(tx: &Transaction<'_>, id: TemplateId) -> Result<bool, Error> {
    tx.prepare_cached("DELETE FROM templates WHERE id = ?1 AND state = 'deleting'")
        .and_then(|mut delete| delete.execute([id]))
        .map(|rows| rows == 1)
        .context("forget a template")
}
