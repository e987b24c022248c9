//! Guests of one sector, and the disk they boot from.
//!
//! 16-bit code that the firmware loads to 0x7c00. They use the firmware's disk service (int 13h) and wait (int 15h), and
//! write to the serial port at 0x3f8 themselves.

/// For ever: adds one to the word at 0x7e00, writes that sector to sector 1 of the disk it was booted from, prints `t`, the
/// number in four hexadecimal digits and a line feed (or `E` alone if the write failed), and waits 20 ms.
const COUNTER: &[u8] = &[
    0xfa, // cli
    0x31, 0xc0, // xor ax, ax
    0x8e, 0xd8, // mov ds, ax
    0x8e, 0xc0, // mov es, ax
    0x8e, 0xd0, // mov ss, ax
    0xbc, 0x00, 0x7c, // mov sp, 0x7c00
    0xfb, // sti
    0xfc, // cld
    0x88, 0x16, 0x6a, 0x7c, // mov [drive], dl
    // tick (0x7c12):
    0xff, 0x06, 0x00, 0x7e, // inc word [0x7e00]
    0xbe, 0x6b, 0x7c, // mov si, packet
    0xb8, 0x00, 0x43, // mov ax, 0x4300: extended write
    0x8a, 0x16, 0x6a, 0x7c, // mov dl, [drive]
    0xcd, 0x13, // int 13h
    0x72, 0x30, // jc fail
    0xb0, 0x74, // mov al, 't'
    0xe8, 0x32, 0x00, // call putc
    0x8b, 0x1e, 0x00, 0x7e, // mov bx, [0x7e00]
    0xb9, 0x04, 0x00, // mov cx, 4
    // digit (0x7c30):
    0xc1, 0xc3, 0x04, // rol bx, 4
    0x88, 0xd8, // mov al, bl
    0x24, 0x0f, // and al, 15
    0x04, 0x30, // add al, '0'
    0x3c, 0x39, // cmp al, '9'
    0x76, 0x02, // jbe +2
    0x04, 0x07, // add al, 7: 'A' and on
    0xe8, 0x19, 0x00, // call putc
    0xe2, 0xec, // loop digit
    0xb0, 0x0a, // mov al, 10
    0xe8, 0x12, 0x00, // call putc
    // pause (0x7c49):
    0x31, 0xc9, // xor cx, cx
    0xba, 0x20, 0x4e, // mov dx, 20000 microseconds
    0xb4, 0x86, // mov ah, 0x86: wait
    0xcd, 0x15, // int 15h
    0xeb, 0xbe, // jmp tick
    // fail (0x7c54):
    0xb0, 0x45, // mov al, 'E'
    0xe8, 0x02, 0x00, // call putc
    0xeb, 0xee, // jmp pause
    // putc (0x7c5b):
    0x50, // push ax
    0xba, 0xfd, 0x03, // mov dx, 0x3fd
    0xec, // in al, dx
    0xa8, 0x20, // test al, 0x20: may the next byte come
    0x74, 0xfb, // jz -5
    0x58, // pop ax
    0xba, 0xf8, 0x03, // mov dx, 0x3f8
    0xee, // out dx, al
    0xc3, // ret
    // drive (0x7c6a):
    0x00, //
    // packet (0x7c6b): 16 bytes, 1 sector, from 0000:7e00, to sector 1
    0x10, 0x00, 0x01, 0x00, 0x00, 0x7e, 0x00, 0x00, //
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
];

/// Switches itself off: the ACPI soft-off that the power management of the machine type `pc` has at port 0x604.
const OFF: &[u8] = &[
    0xba, 0x04, 0x06, // mov dx, 0x604
    0xb8, 0x00, 0x20, // mov ax, 0x2000
    0xef, // out dx, ax
    0xf4, // hlt
    0xeb, 0xfd, // jmp to the hlt
];

/// A disk of 1 MiB that boots into the counter.
pub(super) fn counter() -> Vec<u8> {
    disk(COUNTER)
}

/// A disk of 1 MiB that boots into a counter which with each tick also writes to the next of 128 pages, and then to the
/// first again.
pub(super) fn walker() -> Vec<u8> {
    const WALK: &[u8] = &[
        0x81, 0x06, 0x02, 0x7e, 0x00, 0x01, // add word [0x7e02], 0x100
        0xa1, 0x02, 0x7e, // mov ax, [0x7e02]
        0x80, 0xe4, 0x7f, // and ah, 0x7f
        0x05, 0x00, 0x10, // add ax, 0x1000
        0x8e, 0xc0, // mov es, ax
        0x26, 0xff, 0x06, 0x00, 0x00, // inc word [es:0]
    ];
    // After the counter has counted; what stands behind is moved.
    const AT: usize = 0x16;
    let moved = u8::try_from(WALK.len()).unwrap();
    let mut code = [&COUNTER[..AT], WALK, &COUNTER[AT..]].concat();
    for at in 0..code.len() - 1 {
        match code[at..at + 2] {
            // The addresses of the drive and of the packet.
            [0x6a | 0x6b, 0x7c] => code[at] += moved,
            // jmp tick
            [0xeb, 0xbe] => code[at + 1] -= moved,
            _ => {}
        }
    }
    disk(&code)
}

/// A disk of 1 MiB whose guest switches itself off.
pub(super) fn off() -> Vec<u8> {
    disk(OFF)
}

fn disk(code: &[u8]) -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    disk[..code.len()].copy_from_slice(code);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

/// The numbers that the counter printed, and how many of its writes failed.
pub(super) fn ticks(serial: &[u8]) -> (Vec<u16>, usize) {
    let mut seen = Vec::new();
    let mut failed = 0;
    for line in String::from_utf8_lossy(serial).split('\n') {
        // The firmware writes on the same line, and the last one may be half there.
        if line.contains('E') && line.trim_matches('E').is_empty() {
            failed += line.len();
        }
        if let Some(at) = line.rfind('t')
            && line.len() == at + 5
            && let Some(number) = line.get(at + 1..)
            && let Ok(number) = u16::from_str_radix(number, 16)
        {
            seen.push(number);
        }
    }
    (seen, failed)
}
