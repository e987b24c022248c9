//! Which object store it is: so that a folder that is not mounted, or another bucket, is not taken for one that has lost
//! everything.
//!
//! The first process that writes into a store puts a mark there, `store/<id>`, beside the organizations' folders and
//! before anything else. Each data folder writes down which mark it has seen (`<data>/keys/store`: the id as text, on a
//! line), and from then on:
//!
//! - the first operation of each process looks for that mark;
//! - so does each operation that finds that something is not there, before it is called missing: what is missing in a
//!   store that is not there is no damage, nothing was deleted, and nothing may be forgotten;
//! - in a folder, so does each write, for a mount point without its file system takes whatever it is given.
//!
//! Without the mark, and with nothing in its place, the store *is not there* ([`Error::Away`]), which passes. With
//! another's in its place it is *another store* ([`Error::AnotherStore`]), which does not. The file is removed by hand to
//! give a store up on purpose. Two processes that put a mark at the same time leave two; either will do for ever.
//!
//! The mark's content is a sentence for people. It says nothing about what is stored.

use super::error::{Damage, Error};
use super::format::ObjectId;
use super::store::Store;
use object_store::path::Path as Name;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The folder of the marks in the store. It cannot be an organization's, whose names are ids.
pub const MARKS: &str = "store";

/// What a process knows of the store's identity.
#[derive(Debug)]
pub struct Identity {
    /// Where the data folder has written it down.
    file: PathBuf,
    /// Where the store is, for people.
    place: String,
    /// A write is not believed to reach the store because it succeeds: it is a folder.
    wary: bool,
    /// The mark, once it was seen by this process.
    met: OnceLock<ObjectId>,
    /// There was no mark when this process looked, and none was expected.
    looked: AtomicBool,
    meeting: tokio::sync::Mutex<()>,
}

impl Identity {
    pub fn new(file: PathBuf, place: String, wary: bool) -> Self {
        Self {
            file,
            place,
            wary,
            met: OnceLock::new(),
            looked: AtomicBool::new(false),
            meeting: tokio::sync::Mutex::default(),
        }
    }

    /// Looks for the mark before this process's first operation, and before each write where that is needed.
    pub async fn before(&self, store: &Store, writes: bool) -> Result<(), Error> {
        match self.met.get() {
            Some(mark) if writes && self.wary => self.see(store, *mark).await,
            Some(_) => Ok(()),
            None if !writes && self.looked.load(Ordering::Relaxed) => Ok(()),
            None => self.meet(store, writes).await,
        }
    }

    /// Something is not there: is the store?
    pub async fn after_nothing(&self, store: &Store) -> Result<(), Error> {
        match self.met.get() {
            Some(mark) => self.see(store, *mark).await,
            None => Ok(()),
        }
    }

    /// The mark that this process, or one before it, has met.
    pub fn mark(&self) -> Option<String> {
        let met = self.met.get().copied();
        let mark = met.or_else(|| remembered(&self.file).ok().flatten());
        mark.map(|mark| mark.to_string())
    }

    /// Whether the store is there now. Nothing is made in it, or written down.
    pub async fn look(&self, store: &Store) -> Result<(), Error> {
        let known = match self.met.get() {
            Some(mark) => Some(*mark),
            None => remembered(&self.file)?,
        };
        match known {
            Some(mark) => self.see(store, mark).await,
            None => marks(store).await.map(drop),
        }
    }

    async fn meet(&self, store: &Store, writes: bool) -> Result<(), Error> {
        let _one = self.meeting.lock().await;
        if self.met.get().is_some() {
            return Ok(());
        }
        if let Some(mark) = remembered(&self.file)? {
            self.see(store, mark).await?;
            // Nobody else sets it.
            let _ = self.met.set(mark);
            return Ok(());
        }
        let mark = match marks(store).await?.into_iter().min() {
            Some(mark) => mark,
            None if !writes => {
                self.looked.store(true, Ordering::Relaxed);
                return Ok(());
            }
            None => {
                let mark = ObjectId::new();
                let text = format!(
                    "Reprise object store {mark}. A store without this object is taken for one that is not there: \
                     do not remove it.\n"
                );
                store.put_raw(&name(mark), text.into()).await?;
                mark
            }
        };
        remember(&self.file, mark)?;
        let _ = self.met.set(mark);
        Ok(())
    }

    async fn see(&self, store: &Store, mark: ObjectId) -> Result<(), Error> {
        match store.size_raw(&name(mark)).await {
            Ok(_) => Ok(()),
            Err(Error::Damaged {
                damage: Damage::Missing,
                ..
            }) => Err(self.gone(!marks(store).await?.is_empty())),
            Err(error) => Err(error),
        }
    }

    fn gone(&self, another: bool) -> Error {
        let (place, file) = (self.place.clone(), self.file.clone());
        if another {
            Error::AnotherStore { place, file }
        } else {
            Error::Away { place, file }
        }
    }

    /// As [`Identity::before`], of a folder, before anything is made in it.
    pub fn before_opening(&self, objects: &Path) -> Result<(), Error> {
        let Some(mark) = remembered(&self.file)? else {
            return Ok(());
        };
        let marks = objects.join(MARKS);
        let unreadable = |source| Error::Folder {
            path: marks.clone(),
            operation: "it cannot be read",
            source,
        };
        match fs::metadata(marks.join(mark.to_string())) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(error)),
        }
        let another = match fs::read_dir(&marks) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(unreadable(error)),
        };
        Err(self.gone(another))
    }
}

fn name(mark: ObjectId) -> Name {
    Name::from_iter([MARKS.to_owned(), mark.to_string()])
}

async fn marks(store: &Store) -> Result<Vec<ObjectId>, Error> {
    let names = store.list_raw(&Name::from(MARKS)).await?;
    let ids = names.iter().filter_map(|name| name.filename());
    Ok(ids.filter_map(ObjectId::parse).collect())
}

/// The mark that the data folder has written down.
fn remembered(file: &Path) -> Result<Option<ObjectId>, Error> {
    let wrong = |source| Error::Folder {
        path: file.to_owned(),
        operation: "which object store it was cannot be read",
        source,
    };
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error)),
    };
    match ObjectId::parse(text.trim()) {
        Some(mark) => Ok(Some(mark)),
        None => Err(wrong(io::ErrorKind::InvalidData.into())),
    }
}

/// Writes it down, whole or not at all.
fn remember(file: &Path, mark: ObjectId) -> Result<(), Error> {
    let temporary = file.with_extension("new");
    let folder = file.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut written = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)?;
        writeln!(written, "{mark}")?;
        written.sync_all()?;
        fs::rename(&temporary, file)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| Error::Folder {
        path: file.to_owned(),
        operation: "which object store it is cannot be written down",
        source,
    })
}
