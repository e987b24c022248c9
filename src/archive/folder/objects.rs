//! The objects of a folder. Everything is asked of `object_store`'s own folder, but that a large object is written.
//!
//! A pack is written once and then not read for long. So it passes the page cache by ([`Passing`]): a save of a disk
//! neither takes the machine's memory nor waits for the kernel to find some. The order is that of `object_store` with
//! syncs: the bytes under a temporary name, a sync, the rename, a sync of the folder. A temporary that a crash leaves has
//! a name of the same kind, and is removed when the folder is opened.

use crate::engine::passing::Passing;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

/// Objects of fewer bytes are written as ever: what is small is soon read again, or gone.
const LARGE: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub struct Objects {
    files: LocalFileSystem,
    passing: Arc<Passing>,
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

impl Objects {
    /// `files` syncs what it writes.
    pub fn new(files: LocalFileSystem) -> Self {
        Self {
            files,
            passing: Arc::default(),
        }
    }
}

/// Writes a file beside `path`, syncs it and gives it that name, durably. The folder is there.
fn write(passing: &Passing, path: &std::path::Path, payload: &PutPayload) -> io::Result<()> {
    let (file, staged) = stage(path)?;
    let written = (|| {
        let mut at = 0;
        for part in payload {
            passing.write_all_at(&file, part, at)?;
            at += part.len() as u64;
        }
        file.sync_all()?;
        drop(file);
        fs::rename(&staged, path)
    })();
    if written.is_err() {
        // Best effort: what stays is removed when the folder is opened.
        let _ = fs::remove_file(&staged);
        return written;
    }
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// A new file beside `path`.
fn stage(path: &std::path::Path) -> io::Result<(File, PathBuf)> {
    for number in 1_u32.. {
        let mut name = OsString::from(path);
        name.push(format!("#{number}"));
        let made = OpenOptions::new().write(true).create_new(true).open(&name);
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return Ok((made?, name.into())),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = Result<T>> + Send + 'a>>;

impl ObjectStore for Objects {
    fn put_opts<'a, 'b, 'c>(
        &'a self,
        location: &'b Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Future<'c, PutResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            let path = self.files.path_to_filesystem(location)?;
            let plain = options.mode == PutMode::Overwrite && options.attributes.is_empty();
            // The folder of an organization's first pack is made, and made durable, where that is known.
            let there = path.parent().is_some_and(std::path::Path::is_dir);
            if payload.content_length() < LARGE || !plain || !there {
                return self.files.put_opts(location, payload, options).await;
            }
            let passing = Arc::clone(&self.passing);
            let written =
                tokio::task::spawn_blocking(move || write(&passing, &path, &payload)).await;
            let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Generic {
                store: "LocalFileSystem",
                source,
            };
            match written {
                Ok(Ok(())) => Ok(PutResult {
                    e_tag: None,
                    version: None,
                    extensions: Default::default(),
                }),
                Ok(Err(error)) => Err(failed(error.into())),
                Err(error) => Err(failed(error.into())),
            }
        })
    }

    fn put_multipart_opts<'a, 'b, 'c>(
        &'a self,
        location: &'b Path,
        options: PutMultipartOptions,
    ) -> Future<'c, Box<dyn MultipartUpload>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.files.put_multipart_opts(location, options)
    }

    fn get_opts<'a, 'b, 'c>(
        &'a self,
        location: &'b Path,
        options: GetOptions,
    ) -> Future<'c, GetResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.files.get_opts(location, options)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    fn list_with_delimiter<'a, 'b, 'c>(&'a self, prefix: Option<&'b Path>) -> Future<'c, ListResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.files.list_with_delimiter(prefix)
    }

    fn copy_opts<'a, 'b, 'd, 'c>(
        &'a self,
        from: &'b Path,
        to: &'d Path,
        options: CopyOptions,
    ) -> Future<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        'd: 'c,
        Self: 'c,
    {
        self.files.copy_opts(from, to, options)
    }
}

#[cfg(test)]
mod tests;
