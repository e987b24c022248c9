//! What a file is, told from its bytes.

use super::*;

fn with(length: usize, marks: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for (at, mark) in marks {
        bytes[*at..*at + mark.len()].copy_from_slice(mark);
    }
    bytes
}

#[test]
fn formats_are_known_by_their_marks() {
    let of = |marks: &[(usize, &[u8])]| format_of(&with(4096, marks), &[]);
    assert_eq!(of(&[(0, b"QFI\xfb"), (7, &[3])]), Ok(Format::Qcow2));
    assert_eq!(of(&[(0, b"QED\0")]), Ok(Format::Qed));
    assert_eq!(of(&[(0, b"KDMV"), (12, &[1])]), Ok(Format::Vmdk));
    assert_eq!(of(&[(0x40, &[0x7f, 0x10, 0xda, 0xbe])]), Ok(Format::Vdi));
    assert_eq!(of(&[(0, b"vhdxfile")]), Ok(Format::Vhdx));
    assert_eq!(of(&[(0, b"conectix")]), Ok(Format::Vpc));
    assert_eq!(of(&[(0, b"WithoutFreeSpace")]), Ok(Format::Parallels));
    assert_eq!(of(&[]), Ok(Format::Raw));
    assert_eq!(
        format_of(&[], &with(512, &[(0, b"conectix")])),
        Ok(Format::Vpc),
        "a footer alone"
    );
    assert_eq!(format_of(b"Q", b""), Ok(Format::Raw));
}

#[test]
fn images_that_lean_on_other_files_are_refused_before_any_tool_sees_them() {
    let of = |marks: &[(usize, &[u8])]| format_of(&with(4096, marks), &[]);
    let elsewhere = Err(Fault::ImageNotSelfContained);
    assert_eq!(
        of(&[(0, b"QFI\xfb"), (7, &[2]), (15, &[9])]),
        elsewhere,
        "qcow2 with a backing file"
    );
    assert_eq!(
        of(&[(0, b"QFI\xfb"), (7, &[3]), (79, &[4])]),
        elsewhere,
        "qcow2 with its data elsewhere"
    );
    assert_eq!(
        of(&[(0, b"QED\0"), (16, &[1])]),
        elsewhere,
        "qed with a backing file"
    );
    assert_eq!(of(&[(0, b"KDMV")]), elsewhere, "vmdk that only describes");
    let parent: &[(usize, &[u8])] = &[
        (0, b"KDMV"),
        (12, &[1]),
        (28, &[1]),
        (36, &[1]),
        (
            512,
            b"parentCID=12345678\nparentFileNameHint=\"/etc/shadow\"",
        ),
    ];
    assert_eq!(of(parent), elsewhere, "vmdk with a parent");
    assert_eq!(
        of(&[(0, b"# Disk DescriptorFile\n")]),
        elsewhere,
        "vmdk descriptor"
    );
    assert_eq!(
        of(&[(0x40, &[0x7f, 0x10, 0xda, 0xbe]), (0x4c, &[4])]),
        elsewhere,
        "vdi difference"
    );
    assert_eq!(
        of(&[(0, b"conectix"), (63, &[4])]),
        elsewhere,
        "vhd difference"
    );
    let unreadable = Err(Fault::NotADiskImage);
    assert_eq!(
        of(&[(0, b"QFI\xfb"), (7, &[1])]),
        unreadable,
        "qcow version 1"
    );
    assert_eq!(
        of(&[(0, b"QFI\xfb"), (7, &[3]), (35, &[2])]),
        unreadable,
        "qcow2, encrypted"
    );
    // Cut off anywhere, or any bytes after a mark: an answer, never a panic.
    for mark in [
        b"QFI\xfb".as_slice(),
        b"QED\0",
        b"KDMV",
        b"conectix",
        b"vhdxfile",
    ] {
        for length in mark.len()..100 {
            let _ = format_of(&with(length, &[(0, mark)]), &[]);
            let _ = format_of(&[mark, &vec![0xff; length]].concat(), &[]);
        }
    }
}

#[test]
fn what_the_tool_tells_is_not_trusted_either() {
    let judge = |info: &str| {
        judge(
            &serde_json::from_str(info).expect("JSON"),
            Format::Qcow2,
            100,
        )
    };
    let whole = judge(r#"{"format": "qcow2", "virtual-size": 4096}"#);
    assert_eq!(
        whole,
        Ok(Image {
            format: Format::Qcow2,
            virtual_size: 4096,
            at_least: 100
        })
    );
    for info in [
        r#"{"format": "raw", "virtual-size": 4096}"#,
        r#"{"format": "qcow2", "virtual-size": 0}"#,
        r#"{"format": "qcow2"}"#,
        r#"{"format": "qcow2", "virtual-size": 1, "encrypted": true}"#,
        "[]",
    ] {
        assert_eq!(judge(info), Err(Fault::NotADiskImage), "{info}");
    }
    for info in [
        r#"{"format": "qcow2", "virtual-size": 1, "backing-filename": "/etc/shadow"}"#,
        r#"{"format": "qcow2", "virtual-size": 1, "format-specific": {"data": {"data-file": "x"}}}"#,
        r#"{"format": "qcow2", "virtual-size": 1, "format-specific": {"data": {"extents": [1, 2]}}}"#,
    ] {
        assert_eq!(judge(info), Err(Fault::ImageNotSelfContained), "{info}");
    }
}

#[test]
fn bytes_without_a_format_are_a_disk_only_if_they_look_like_one() {
    let disk = |bytes: &[u8], name: &str| is_a_disk(bytes, bytes.len() as u64, name);
    assert!(
        disk(&with(1024, &[(510, b"\x55\xaa")]), "x.pdf"),
        "a boot sector says more than a name"
    );
    assert!(disk(&with(4096, &[(0x438, b"\x53\xef")]), ""));
    assert!(
        disk(&vec![0; 1024], "empty.img"),
        "a blank disk that is called one"
    );
    assert!(!disk(&vec![0; 1024], "empty.dat"));
    assert!(!disk(&vec![0; 1000], "odd.img"), "no whole sectors");
    assert!(!disk(&[], "none.img"));
    assert!(!disk("é".repeat(512).as_bytes(), "text.img"));
    assert!(
        !disk(&with(1024, &[(0, b"\x1f\x8b\x08")]), "disk.img"),
        "compressed"
    );
    let program = with(1024, &[(0, b"MZ"), (0x3c, b"\x80"), (0x80, b"PE\0\0")]);
    assert!(!disk(&program, "setup.bin"), "a program");
    // An encrypted disk begins with anything at all.
    for first in [&b"<"[..], b"MZ", b"\x1f\x8b", b"#", b"{"] {
        let noise: Vec<u8> = (0..4096_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let noise = [first, &noise[first.len()..]].concat();
        assert!(disk(&noise, "encrypted.img"), "{first:?}");
    }
}
