//! The fence: who is held, who passes, and for how long. Nothing here asserts a duration; what must be held is shown by
//! what was done before it was let go.

use super::{Stage, client::Client};
use crate::{
    engine::block::{BLOCK_SIZE, DeviceError},
    nbd::{AlreadyArmed, Armed, Fence, wire::command},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

const LONG: Duration = Duration::from_secs(120);
const MOMENT: Duration = Duration::from_millis(50);

/// A flush from another thread; what it gives is whether `done` was set when it was answered.
fn flush(fence: &Fence, done: &Arc<AtomicBool>) -> JoinHandle<bool> {
    let (device, done) = (fence.device(), Arc::clone(done));
    thread::spawn(move || {
        device.flush().unwrap();
        done.load(Ordering::SeqCst)
    })
}

fn no() -> Arc<AtomicBool> {
    Arc::default()
}

#[test]
fn it_is_a_disk_of_zeros_that_swallows_what_is_written() {
    let device = Fence::new().device();
    assert_eq!(device.size(), BLOCK_SIZE);
    assert!(
        !device.read_only(),
        "a disk that cannot be written is not flushed"
    );
    device.write_at(0, &[7; 4096], true).unwrap();
    device.trim(0, 4096, true).unwrap();
    let mut read = [1; 512];
    device.read_at(3584, &mut read).unwrap();
    assert_eq!(read, [0; 512]);
    assert_eq!(device.extents(0, 4096).unwrap().len(), 1);
    for outside in [
        device.read_at(4000, &mut read),
        device.write_at(u64::MAX, &[1], false),
        device.trim(4096, 1, false),
    ] {
        assert!(matches!(outside, Err(DeviceError::OutOfRange { .. })));
    }
}

#[test]
fn unarmed_every_flush_passes() {
    let fence = Fence::new();
    fence.device().flush().unwrap();
    drop(fence.arm(LONG).unwrap());
    fence.device().flush().unwrap();
    fence.device().flush().unwrap();
}

#[test]
fn i12_armed_one_flush_is_held_until_it_is_released_and_no_other() {
    let fence = Fence::new();
    let armed = fence.arm(LONG).unwrap();
    assert_eq!(fence.arm(LONG).err(), Some(AlreadyArmed));
    let done = no();
    let held = flush(&fence, &done);
    let window = armed.wait().unwrap();
    assert!(armed.wait().is_none(), "one window an arming");
    assert_eq!(fence.arm(LONG).err(), Some(AlreadyArmed));
    assert_eq!(window.run(|| 5), Some(5));
    done.store(true, Ordering::SeqCst);
    window.release();
    assert!(held.join().unwrap(), "answered before it was released");
    // One flush: the next ones are of other stops.
    fence.device().flush().unwrap();
    assert!(armed.wait().is_none());
    // And the next arming is another one.
    let again = fence.arm(LONG).unwrap();
    let held = flush(&fence, &done);
    assert!(armed.wait().is_none(), "the window of a later arming");
    drop(armed);
    assert!(again.at_the_stop(|| ()));
    held.join().unwrap();
}

#[test]
fn i12_the_same_flush_sent_again_has_the_same_answer() {
    let fence = Fence::new();
    let armed = fence.arm(LONG).unwrap();
    let done = no();
    let held: Vec<_> = (0..3).map(|_| flush(&fence, &done)).collect();
    let window = armed.wait().unwrap();
    thread::sleep(MOMENT);
    assert!(window.run(|| done.store(true, Ordering::SeqCst)).is_some());
    drop(window);
    for one in held {
        assert!(one.join().unwrap(), "answered before it was released");
    }
    assert!(armed.wait().is_none(), "a second one was taken");
}

#[test]
fn i12_what_is_done_in_the_window_is_done_before_the_guest_goes_on() {
    // Held for less long than the act takes.
    let fence = Fence::holding(MOMENT);
    let armed = fence.arm(LONG).unwrap();
    let done = no();
    let held = flush(&fence, &done);
    let acted = armed.at_the_stop(|| {
        thread::sleep(MOMENT * 4);
        done.store(true, Ordering::SeqCst);
    });
    let before = held.join().unwrap();
    assert_eq!(acted, before, "it acted while the guest did not stand");
}

#[test]
fn i13_a_guest_is_let_go_when_nobody_comes_to_the_window() {
    let fence = Fence::holding(MOMENT);
    let armed = fence.arm(LONG).unwrap();
    assert!(!flush(&fence, &no()).join().unwrap());
    assert!(armed.wait().is_none(), "a window in which the guest runs");
    let armed = fence.arm(LONG).unwrap();
    let held = flush(&fence, &no());
    let window = armed.wait().unwrap();
    assert!(!held.join().unwrap());
    assert_eq!(window.run(|| panic!("the guest runs")), None::<()>);
    window.release();
    // It is as new.
    let armed = fence.arm(LONG).unwrap();
    let held = flush(&fence, &no());
    assert!(armed.at_the_stop(|| ()));
    held.join().unwrap();
}

#[test]
fn i13_late_it_is_not_armed_any_more() {
    let fence = Fence::new();
    let armed = fence.arm(MOMENT).unwrap();
    assert!(armed.wait().is_none());
    fence.device().flush().unwrap();
    // The flush itself may find it so.
    let fence = Fence::holding(LONG);
    let armed = fence.arm(Duration::ZERO).unwrap();
    let passes = flush(&fence, &no());
    for _ in 0..400 {
        if !passes.is_finished() {
            thread::sleep(MOMENT);
        }
    }
    assert!(
        passes.is_finished(),
        "a flush is held for an arming that is over"
    );
    assert!(!armed.at_the_stop(|| panic!("nothing stands")));
    // And one who is late for good does not keep others out.
    let _late = fence.arm(Duration::ZERO).unwrap();
    drop(fence.arm(LONG).unwrap());
}

#[test]
fn i13_who_goes_away_lets_the_guest_go() {
    let fence = Fence::new();
    let ends: [fn(Armed, mpsc::Receiver<()>); 3] = [
        // Before the flush, after it, and with its window.
        |armed, _| drop(armed),
        |armed, flushing| {
            flushing.recv().unwrap();
            thread::sleep(MOMENT);
            drop(armed);
        },
        |armed, _| {
            let window = armed.wait();
            drop((armed, window));
        },
    ];
    for end in ends {
        let armed = fence.arm(LONG).unwrap();
        let (flushing, come) = mpsc::channel();
        let device = fence.device();
        let held = thread::spawn(move || {
            flushing.send(()).unwrap_or_default();
            device.flush().unwrap();
        });
        end(armed, come);
        held.join().unwrap();
        drop(fence.arm(LONG).unwrap());
    }
}

#[test]
fn i12_over_the_wire_a_flush_whose_connection_broke_is_taken_once() {
    let fence = Fence::new();
    let offered = fence.clone();
    let stage = Stage::of(offered.device());
    let connect = || Client::structured(&stage.socket);
    let mut first = connect();
    assert_eq!(first.act(command::FLUSH, 0, 0, 0, &[]), 0);
    let armed = fence.arm(LONG).unwrap();
    first.request(command::FLUSH, 0, 0, 0, &[]);
    let window = armed.wait().unwrap();
    drop(first);
    let mut second = connect();
    let done = no();
    let seen = Arc::clone(&done);
    let resent = thread::spawn(move || {
        let errno = second.act(command::FLUSH, 0, 0, 0, &[]);
        (errno, seen.load(Ordering::SeqCst))
    });
    thread::sleep(MOMENT);
    done.store(true, Ordering::SeqCst);
    window.release();
    assert_eq!(resent.join().unwrap(), (0, true));
    assert!(armed.wait().is_none());
}
