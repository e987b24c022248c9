//! The transmission, request by request.

use super::{
    Stage,
    client::{Answer, Client},
    device::{Call, MemoryDevice},
};
use crate::{
    engine::block::{BlockDevice, ZeroOptions},
    nbd::wire::{chunk, command, command_flag as flag},
};
use proptest::prelude::*;
use std::{io::Write, sync::Arc};

const SIZE: u64 = 4 << 20;
const EPERM: u32 = 1;
const EIO: u32 = 5;
const EINVAL: u32 = 22;
const ENOSPC: u32 = 28;
const ENOTSUP: u32 = 95;

fn disk() -> (Stage, Arc<MemoryDevice>) {
    let device = Arc::new(MemoryDevice::new(SIZE));
    (
        Stage::of(Arc::clone(&device) as Arc<dyn BlockDevice>),
        device,
    )
}

fn noise(length: usize) -> Vec<u8> {
    (0..length as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 | 1)
        .collect()
}

#[test]
fn what_is_written_is_read_in_every_way() {
    let (stage, _) = disk();
    let data = noise(300_001);
    let mut plain = Client::simple(&stage.socket);
    assert_eq!(
        plain.act(command::WRITE, 0, 777, data.len() as u32, &data),
        0
    );
    let cookie = plain.send_read(777, data.len() as u32);
    assert_eq!(plain.answer(), Answer::Simple { cookie, error: 0 });
    assert_eq!(plain.bytes(data.len()), data);

    let mut client = Client::structured(&stage.socket);
    for flags in [0, flag::DF, flag::FUA] {
        for (offset, length) in [(777, 300_001), (778, 1), (4096, 4096), (5000, 70_000)] {
            let expected = &data[offset - 777..offset - 777 + length];
            assert_eq!(
                client.read(offset as u64, length as u32, flags),
                (expected.to_vec(), 0)
            );
        }
    }
    // Nothing at all, in both manners.
    assert_eq!(client.read(5, 0, 0), (vec![], 0));
    assert_eq!(client.act(command::WRITE, 0, 5, 0, &[]), 0);
    assert_eq!(plain.act(command::READ, 0, 5, 0, &[]), 0);
}

#[test]
fn long_holes_are_not_sent_and_df_sends_them() {
    let (stage, _) = disk();
    let mut client = Client::structured(&stage.socket);
    // Data, a hole too short to be worth a chunk, data, a long hole, zeroes: the last two are one hole.
    let data = noise(4096);
    assert_eq!(client.act(command::WRITE, 0, 0, 4096, &data), 0);
    assert_eq!(client.act(command::WRITE, 0, 8192, 4096, &data), 0);
    assert_eq!(
        client.act(command::WRITE_ZEROES, 0, 1 << 20, 1 << 20, &[]),
        0
    );
    let mut expected = vec![0; 2 << 20];
    expected[..4096].copy_from_slice(&data);
    expected[8192..12_288].copy_from_slice(&data);

    let (bytes, holes) = client.read(0, 2 << 20, 0);
    assert!(bytes == expected);
    assert_eq!(holes, (2 << 20) - 12_288);
    let cookie = client.request(command::READ, 0, 0, 2 << 20, &[]);
    let kinds: Vec<u16> = client.chunks(cookie).iter().map(|chunk| chunk.0).collect();
    assert_eq!(kinds, [chunk::OFFSET_DATA, chunk::OFFSET_HOLE]);

    let cookie = client.request(command::READ, flag::DF, 0, 2 << 20, &[]);
    let chunks = client.chunks(cookie);
    assert_eq!(chunks.len(), 1);
    assert!(chunks[0].1[8..] == expected);
}

#[test]
fn refused_requests_leave_the_stream_in_step() {
    let (stage, device) = disk();
    for mut client in [
        Client::structured(&stage.socket),
        Client::simple(&stage.socket),
    ] {
        let mut no = |kind, flags, offset, length: u32, payload: &[u8], errno| {
            assert_eq!(
                client.act(kind, flags, offset, length, payload),
                errno,
                "{kind} {flags} {offset} {length}"
            );
        };
        no(command::WRITE, 0, SIZE - 1, 2, b"ab", ENOSPC);
        no(command::WRITE, 0, u64::MAX, 2, b"ab", ENOSPC);
        no(command::WRITE_ZEROES, 0, SIZE, 1, &[], ENOSPC);
        no(command::READ, 0, SIZE - 1, 2, &[], EINVAL);
        no(command::READ, 0, u64::MAX - 1, 4096, &[], EINVAL);
        no(command::TRIM, 0, 4096, SIZE as u32, &[], EINVAL);
        no(command::CACHE, 0, 4096, SIZE as u32, &[], EINVAL);
        no(command::READ, 0, 0, (32 << 20) + 1, &[], EINVAL);
        no(
            command::WRITE,
            0,
            0,
            (32 << 20) + 1,
            &vec![9; (32 << 20) + 1],
            EINVAL,
        );
        no(command::WRITE, flag::DF, 0, 3, b"abc", EINVAL);
        no(command::WRITE, 1 << 5, 0, 3, b"abc", EINVAL);
        no(command::READ, flag::NO_HOLE, 0, 3, &[], EINVAL);
        no(command::TRIM, flag::FAST_ZERO, 0, 4096, &[], EINVAL);
        no(command::FLUSH, 0, 0, 1, &[], EINVAL);
        no(command::FLUSH, flag::REQ_ONE, 0, 0, &[], EINVAL);
        no(9, 0, 0, 1, &[], EINVAL);
        no(u16::MAX, 0, 0, 1, &[], EINVAL);
        no(command::BLOCK_STATUS, 0, 0, 0, &[], EINVAL);
        no(command::BLOCK_STATUS, 0, SIZE, 1, &[], EINVAL);
        client.assert_in_step();
    }
    let mut simple = Client::simple(&stage.socket);
    assert_eq!(
        simple.act(command::READ, flag::DF, 0, 3, &[]),
        EINVAL,
        "DF was not offered"
    );
    assert!(device.content().iter().all(|byte| *byte == 0));
    assert!(
        device
            .log
            .lock()
            .unwrap()
            .iter()
            .all(|call| matches!(call, Call::Read(_)))
    );
}

#[test]
fn a_read_only_export_refuses_writes_and_drains_them() {
    let mut device = MemoryDevice::new(SIZE);
    device.read_only = true;
    let stage = Stage::of(Arc::new(device));
    let mut client = Client::structured(&stage.socket);
    assert_eq!(
        client.act(command::WRITE, 0, 0, 2 << 20, &vec![1; 2 << 20]),
        EPERM
    );
    assert_eq!(client.act(command::TRIM, 0, 0, 4096, &[]), EPERM);
    assert_eq!(client.act(command::WRITE_ZEROES, 0, 0, 4096, &[]), EPERM);
    assert_eq!(client.act(command::FLUSH, 0, 0, 0, &[]), 0);
    assert_eq!(client.read(0, 4096, 0).0, vec![0; 4096]);
}

#[test]
fn flags_reach_the_device() {
    let (stage, device) = disk();
    let mut client = Client::structured(&stage.socket);
    assert_eq!(client.act(command::WRITE, flag::FUA, 1, 2, b"ab"), 0);
    assert_eq!(client.act(command::FLUSH, flag::FUA, 0, 0, &[]), 0);
    assert_eq!(client.act(command::TRIM, flag::FUA, 0, 8192, &[]), 0);
    let both = flag::NO_HOLE | flag::FAST_ZERO;
    assert_eq!(client.act(command::WRITE_ZEROES, both, 4096, 4096, &[]), 0);
    assert_eq!(
        client.act(command::WRITE_ZEROES, flag::FAST_ZERO, 4096, 1, &[]),
        ENOTSUP
    );
    assert_eq!(client.act(command::WRITE_ZEROES, flag::FUA, 5, 1, &[]), 0);
    let zeroes = |fua, no_hole, fast_only| ZeroOptions {
        fua,
        no_hole,
        fast_only,
    };
    let calls = [
        Call::Write(1..3, true),
        Call::Flush,
        Call::Trim(0..8192, true),
        Call::Zeroes(4096..8192, zeroes(false, true, true)),
        Call::Zeroes(5..6, zeroes(true, false, false)),
    ];
    assert_eq!(*device.log.lock().unwrap(), calls);
}

#[test]
fn cache_reads_the_range() {
    let (stage, device) = disk();
    let mut client = Client::simple(&stage.socket);
    assert_eq!(client.act(command::CACHE, 0, 4096, 300_000, &[]), 0);
    let calls = device.log.lock().unwrap();
    assert_eq!(
        *calls,
        [Call::Read(4096..266_240), Call::Read(266_240..304_096)]
    );
}

#[test]
fn a_long_write_comes_in_pieces_between_blocks_and_fua_is_one_flush() {
    let (stage, device) = disk();
    let mut client = Client::simple(&stage.socket);
    let data = noise((2 << 20) + 5000);
    assert_eq!(
        client.act(command::WRITE, flag::FUA, 100, data.len() as u32, &data),
        0
    );
    let end = 100 + data.len() as u64;
    assert!(device.content()[100..end as usize] == data);
    let calls = device.log.lock().unwrap();
    let writes = [
        Call::Write(100..1 << 20, false),
        Call::Write(1 << 20..2 << 20, false),
    ];
    assert_eq!(calls[..2], writes);
    assert_eq!(calls[2..], [Call::Write(2 << 20..end, false), Call::Flush]);
}

#[test]
fn failures_are_told_with_their_place() {
    let mut device = MemoryDevice::new(SIZE);
    device.broken_at = Some(700_000);
    let stage = Stage::of(Arc::new(device));
    let mut client = Client::structured(&stage.socket);
    assert_eq!(
        client.act(command::WRITE, 0, 0, 1 << 20, &vec![3; 1 << 20]),
        EIO
    );
    assert_eq!(
        client.act(command::WRITE, 0, 0, 600_000, &vec![3; 600_000]),
        0
    );
    // The third piece of 256 KiB is the broken one; extents fail too, and are done without.
    let cookie = client.send_read(0, 1 << 20);
    let chunks = client.chunks(cookie);
    let kinds: Vec<u16> = chunks.iter().map(|chunk| chunk.0).collect();
    assert_eq!(
        kinds,
        [chunk::OFFSET_DATA, chunk::OFFSET_DATA, chunk::ERROR_OFFSET]
    );
    let error = &chunks[2].1;
    assert_eq!(error[..4], EIO.to_be_bytes());
    assert_eq!(error[error.len() - 8..], 524_288_u64.to_be_bytes());
    assert_eq!(
        &error[6..error.len() - 8],
        b"the test's disk is broken here"
    );
    assert_eq!(client.act(command::READ, flag::DF, 0, 1 << 20, &[]), EIO);
    // A long one in pieces: the rest of the payload is drained.
    assert_eq!(
        client.act(command::WRITE, 0, 0, 3 << 20, &vec![4; 3 << 20]),
        EIO
    );
    client.assert_in_step();
    let mut simple = Client::simple(&stage.socket);
    assert_eq!(simple.act(command::READ, 0, 0, 1 << 20, &[]), EIO);
    assert_eq!(simple.act(command::READ, 0, 700_000, 1, &[]), EIO);
    assert_eq!(simple.act(command::FLUSH, 0, 0, 0, &[]), 0);
}

#[test]
fn block_status_tells_data_zero_and_hole() {
    let (stage, _) = disk();
    let mut client = Client::structured(&stage.socket);
    client.act(command::WRITE, 0, 4096, 8192, &noise(8192));
    client.act(command::WRITE_ZEROES, 0, 12_288, 4096, &[]);
    let whole = client.status(0, 0, SIZE as u32);
    assert_eq!(
        whole,
        [(4096, 3), (8192, 0), (4096, 2), (SIZE as u32 - 16_384, 3)]
    );
    assert_eq!(client.status(flag::REQ_ONE, 4096, 1 << 20), [(8192, 0)]);
    assert_eq!(client.status(flag::REQ_ONE, 5000, 100), [(100, 0)]);
    assert_eq!(client.status(0, 4095, 2), [(1, 3), (1, 0)]);
    // More runs than the device gives in one answer, and more than one reply holds.
    for block in 0..128 {
        client.act(command::WRITE, 0, (2 << 20) + block * 8192, 1, b"x");
    }
    let runs = client.status(0, 2 << 20, 1 << 20);
    assert_eq!(runs.len(), 256);
    assert!(
        runs.iter()
            .enumerate()
            .all(|(i, run)| *run == (4096, if i % 2 == 0 { 0 } else { 3 }))
    );
}

#[test]
fn answers_come_out_of_order() {
    let (stage, device) = disk();
    let mut client = Client::structured(&stage.socket);
    device.close_gate();
    let flush = client.request(command::FLUSH, 0, 0, 0, &[]);
    device.wait_for_waiting(1);
    // A flush was expected to be slow; these writes are not, and get stuck too. Somebody always reads.
    let mut writes: Vec<u64> = (0..5)
        .map(|i| client.send_write(i * 4096, b"stuck"))
        .collect();
    device.wait_for_waiting(6);
    for _ in 0..3 {
        let read = client.send_read(1 << 20, 4096);
        assert_eq!(client.answer().cookie(), read);
    }
    device.open_gate();
    writes.push(flush);
    for _ in 0..6 {
        let answer = client.answer();
        assert_eq!(answer.error(), 0);
        writes.retain(|cookie| *cookie != answer.cookie());
    }
    assert!(writes.is_empty(), "{writes:?}");
}

#[test]
fn more_requests_than_threads_wait_in_the_socket() {
    let (stage, device) = disk();
    let mut client = Client::simple(&stage.socket);
    device.close_gate();
    // More than fits between client and server while nothing moves: somebody else must open the gate.
    let opener = Arc::clone(&device);
    let opener = std::thread::spawn(move || {
        opener.wait_for_waiting(16);
        opener.open_gate();
    });
    let mut waiting: Vec<u64> = (0..100)
        .map(|i| client.send_write(i * 4096, &[i as u8 + 1; 4096]))
        .collect();
    opener.join().unwrap();
    for _ in 0..100 {
        let answer = client.answer();
        waiting.retain(|cookie| *cookie != answer.cookie());
    }
    assert!(waiting.is_empty(), "{waiting:?}");
    let content = device.content();
    assert!((0..100).all(|i| content[i * 4096..(i + 1) * 4096] == [i as u8 + 1; 4096]));
}

#[test]
fn a_burst_is_answered_whole() {
    let (stage, _) = disk();
    let mut client = Client::structured(&stage.socket);
    let request = |i: u64| {
        super::client::encode(&crate::nbd::wire::Request {
            flags: 0,
            kind: command::READ,
            cookie: i,
            offset: i % 1000 * 4096,
            length: 512,
        })
    };
    let burst: Vec<u8> = (0..5000).flat_map(request).collect();
    let mut sending = client.socket.try_clone().unwrap();
    let sender = std::thread::spawn(move || sending.write_all(&burst).unwrap());
    let mut seen = vec![false; 5000];
    for _ in 0..5000 {
        seen[client.answer().cookie() as usize] = true;
    }
    assert!(seen.iter().all(|seen| *seen));
    sender.join().unwrap();
}

#[test]
fn disconnecting_waits_for_what_was_asked_before() {
    let (stage, device) = disk();
    let mut client = Client::simple(&stage.socket);
    device.close_gate();
    let write = client.send_write(0, b"last words");
    client.request(command::DISC, 0, 0, 0, &[]);
    device.wait_for_waiting(1);
    device.open_gate();
    assert_eq!(
        client.answer(),
        Answer::Simple {
            cookie: write,
            error: 0
        }
    );
    assert!(client.closed());
}

#[test]
fn a_stream_out_of_step_is_cut_and_the_server_lives() {
    let (stage, device) = disk();
    let mut client = Client::simple(&stage.socket);
    client.socket.write_all(&[0x55; 28]).unwrap();
    assert!(client.closed());
    // In the middle of a request, and of a payload short and long.
    for cut in [10, 28 + 100, 28 + 100_000] {
        let mut client = Client::simple(&stage.socket);
        let head = super::client::encode(&crate::nbd::wire::Request {
            flags: 0,
            kind: command::WRITE,
            cookie: 1,
            offset: 0,
            length: 200_000,
        });
        let message = [head, vec![7; 200_000]].concat();
        client.socket.write_all(&message[..cut]).unwrap();
        drop(client);
    }
    Client::simple(&stage.socket).assert_in_step();
    stage.server.shutdown();
    assert!(
        device.content().iter().all(|byte| *byte == 0),
        "nothing of a payload that was cut"
    );
}

#[test]
fn a_panic_in_the_device_ends_its_connection_only() {
    let mut device = MemoryDevice::new(SIZE);
    device.panics_at = Some(8192);
    let stage = Stage::of(Arc::new(device));
    let mut other = Client::simple(&stage.socket);
    let mut client = Client::simple(&stage.socket);
    client.send_read(8192, 1);
    assert!(client.closed());
    other.assert_in_step();
    Client::simple(&stage.socket).assert_in_step();
    stage.server.shutdown();
    assert_eq!(stage.server.connections(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Requests with right magic and anything else, payloads cut anywhere: whatever happens to this connection, the
    /// next one is served.
    #[test]
    fn nothing_a_client_sends_ends_the_server(
        requests in proptest::collection::vec((0_u16..9, 0_u16..32, 0..2 * SIZE, 0_u32..100_000), 1..12),
        noise in proptest::collection::vec(any::<u8>(), 0..60),
        structured: bool,
    ) {
        let (stage, _) = disk();
        let client = if structured { Client::structured(&stage.socket) } else { Client::simple(&stage.socket) };
        let mut message = Vec::new();
        for (kind, flags, offset, length) in requests {
            let request = crate::nbd::wire::Request { flags, kind, cookie: 1, offset, length };
            message.extend(super::client::encode(&request));
            message.extend(vec![1; request.payload() as usize]);
        }
        message.extend(noise);
        let reader = client.socket.try_clone().unwrap();
        let drain = std::thread::spawn(move || std::io::copy(&mut &reader, &mut std::io::sink()));
        // The server may have cut us off already.
        let _ = (&client.socket).write_all(&message);
        let _ = client.socket.shutdown(std::net::Shutdown::Write);
        let _ = drain.join().unwrap();
        Client::simple(&stage.socket).assert_in_step();
    }
}
