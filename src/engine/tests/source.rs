//! A place where blocks live, as the engine sees it: it counts what is asked of it, fails on demand, and answers nobody
//! who asks for what was released.

use super::sim::Random;
use crate::engine::block::BLOCK_SIZE;
use crate::engine::drain::lock;
use crate::engine::{RemoteError, RemoteId, RemoteRun, RemoteSource, RemoteSources};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Four blocks.
pub(crate) const CHUNK: u64 = 4 * BLOCK_SIZE;

#[derive(Default)]
pub(crate) struct State {
    contents: BTreeMap<RemoteId, Vec<u8>>,
    pub(crate) released: BTreeSet<RemoteId>,
    /// First chunk and number of chunks of every read that was answered.
    pub(crate) reads: Vec<(u32, u32)>,
    pub(crate) opened: u32,
    /// So many more operations fail, as an outage does.
    pub(crate) out: u64,
    /// Reads of this chunk fail for good.
    pub(crate) damaged: Option<u32>,
    /// Operations asked for.
    pub(crate) asked: u64,
    /// Runs with each read, before it is answered.
    pub(crate) meanwhile: Option<Arc<dyn Fn(u32) + Send + Sync>>,
}

/// See the module. Clones are the same place.
#[derive(Clone, Default)]
pub(crate) struct Place(pub(crate) Arc<Mutex<State>>);

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&lock(&self.0).released).finish()
    }
}

pub(crate) fn name(number: u8) -> RemoteId {
    RemoteId::new(&[number, 1, 2, 3]).unwrap()
}

impl Place {
    /// Puts a content there.
    pub(crate) fn put(&self, number: u8, content: Vec<u8>) -> RemoteId {
        lock(&self.0).contents.insert(name(number), content);
        name(number)
    }

    /// Noise in all blocks but those of every third chunk, and but the second block of every chunk.
    pub(crate) fn noise(&self, number: u8, size: u64) -> (RemoteId, Vec<u8>) {
        let mut random = Random::new(u64::from(number));
        let mut content = vec![0; size as usize];
        for (at, block) in content.chunks_mut(BLOCK_SIZE as usize).enumerate() {
            if at as u64 * BLOCK_SIZE / CHUNK % 3 != 2 && at % 4 != 1 {
                block.fill_with(|| random.next() as u8 | 1);
            }
        }
        (self.put(number, content.clone()), content)
    }

    /// What was read since the last call.
    pub(crate) fn reads(&self) -> Vec<(u32, u32)> {
        std::mem::take(&mut lock(&self.0).reads)
    }

    /// Number of chunks read since the last call.
    pub(crate) fn chunks(&self) -> u32 {
        self.reads().iter().map(|(_, count)| count).sum()
    }

    fn ask(&self, id: &RemoteId) -> Result<Vec<u8>, RemoteError> {
        let mut state = lock(&self.0);
        state.asked += 1;
        let fail = |permanent: bool, context: &str| {
            Err(RemoteError {
                context: context.to_owned(),
                permanent,
            })
        };
        if state.out > 0 {
            state.out -= 1;
            return fail(false, "the place is out of reach");
        }
        if state.released.contains(id) {
            return fail(true, "the source was released");
        }
        match state.contents.get(id) {
            Some(content) => Ok(content.clone()),
            None => fail(true, "there is no such source"),
        }
    }
}

impl RemoteSources for Place {
    fn open(&self, id: &RemoteId) -> Result<Arc<dyn RemoteSource>, RemoteError> {
        let content = self.ask(id)?;
        lock(&self.0).opened += 1;
        Ok(Arc::new(Source {
            place: self.clone(),
            id: *id,
            size: content.len() as u64,
        }))
    }

    fn release(&self, id: &RemoteId) -> Result<(), RemoteError> {
        lock(&self.0).released.insert(*id);
        Ok(())
    }
}

struct Source {
    place: Place,
    id: RemoteId,
    size: u64,
}

impl RemoteSource for Source {
    fn size(&self) -> u64 {
        self.size
    }

    fn chunk_size(&self) -> u64 {
        CHUNK
    }

    fn data_bytes(&self) -> u64 {
        self.size
    }

    fn read(&self, first: u32, most: u32) -> Result<RemoteRun, RemoteError> {
        let mut content = self.place.ask(&self.id)?;
        let meanwhile = lock(&self.place.0).meanwhile.clone();
        if let Some(act) = meanwhile {
            act(first);
        }
        if lock(&self.place.0).damaged == Some(first) {
            return Err(RemoteError {
                context: "the chunk is damaged".to_owned(),
                permanent: true,
            });
        }
        content.resize(content.len().next_multiple_of(CHUNK as usize), 0);
        let chunks: Vec<&[u8]> = content
            .chunks(CHUNK as usize)
            .skip(first as usize)
            .collect();
        let zeros = |chunk: &&&[u8]| chunk.iter().all(|byte| *byte == 0);
        let none = chunks.iter().take_while(zeros).count() as u32;
        if none > 0 {
            return Ok(RemoteRun::Zeros(none));
        }
        let run: Vec<u8> = chunks
            .iter()
            .take(most as usize)
            .take_while(|chunk| !zeros(chunk))
            .flat_map(|chunk| chunk.iter().copied())
            .collect();
        let count = (run.len() as u64 / CHUNK) as u32;
        lock(&self.place.0).reads.push((first, count));
        Ok(RemoteRun::Data(run))
    }
}
