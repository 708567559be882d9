//! The page: its items, its room, and what damage does to it.

use kite_pages::{
    At, Defect, Error, ItemHead, ItemPointer, ItemReader, ItemWriter, MAX_ITEM, PAGE_SIZE, Page, PageKind,
    Stamp,
};
use proptest::prelude::*;

const KIND: PageKind = PageKind { code: 3, version: 1 };

fn page() -> Box<Page> {
    let mut page = Page::zeroed();
    page.init(KIND);
    page
}

fn room(page: &Page) -> usize {
    page.view(KIND).unwrap().room().unwrap()
}

fn add(page: &mut Page, item: &[u8]) -> u16 {
    page.add(item).unwrap().expect("room")
}

fn find(page: &Page, no: u16) -> Option<&[u8]> {
    page.view(KIND).unwrap().find(no).unwrap()
}

#[test]
fn is_laid_out_as_postgres_does() {
    let mut page = page();
    assert_eq!(add(&mut page, b"abc"), 1);
    assert_eq!(add(&mut page, &[9; 16]), 2);
    let bytes = page.bytes();
    let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    // pd_lower, pd_upper, pd_special, pd_pagesize_version
    assert_eq!([u16_at(12), u16_at(14), u16_at(16), u16_at(18)], [32, 8152, 8176, 8192 | 4]);
    // lp_off, lp_flags = LP_NORMAL, lp_len
    assert_eq!(u32_at(24), 8168 | 1 << 15 | 3 << 17);
    assert_eq!(u32_at(28), 8152 | 1 << 15 | 16 << 17);
    assert_eq!(&bytes[8168..8171], b"abc");
    page.free(2, Stamp::from_raw(77)).unwrap();
    // LP_DEAD, with the stamp as its storage
    assert_eq!(u32::from_le_bytes(page.bytes()[28..32].try_into().unwrap()), 8152 | 3 << 15 | 8 << 17);
    assert_eq!(page.bytes()[8152..8160], 77u64.to_le_bytes());
}

#[test]
fn a_page_of_zeros_is_new_and_no_other() {
    let mut page = Page::zeroed();
    assert!(page.is_new());
    assert_eq!(page.view(KIND).err(), Some(Defect("the page is empty")));
    assert!(page.add(b"x").is_err());
    page.bytes_mut()[5000] = 1;
    assert!(!page.is_new() && page.view(KIND).is_err());
    page.init(KIND);
    assert!(!page.is_new());
    assert_eq!(room(&page), MAX_ITEM);
}

#[test]
fn another_kind_or_version_is_refused() {
    let page = page();
    assert!(page.view(PageKind { code: 4, version: 1 }).unwrap_err().0.contains("kind"));
    assert!(page.view(PageKind { code: 3, version: 2 }).unwrap_err().0.contains("version"));
    let error = page.view(PageKind { code: 4, version: 1 }).at(17).unwrap_err();
    assert!(matches!(error, Error::Corrupt { block: 17, .. }));
    assert!(error.to_string().contains("block 17"), "{error}");
}

#[test]
fn the_longest_item_fills_a_page() {
    let mut page = page();
    assert_eq!(page.add(&[1; MAX_ITEM + 1]), Ok(None));
    assert_eq!(add(&mut page, &[1; MAX_ITEM]), 1);
    assert_eq!((room(&page), page.add(b"x")), (0, Ok(None)));
    assert!(page.add(b"").is_err());
    page.remove(1).unwrap();
    assert_eq!(room(&page), MAX_ITEM);
}

#[test]
fn numbers_are_used_again_and_the_last_are_given_back() {
    let mut page = page();
    for item in [b"a", b"b", b"c"] {
        add(&mut page, item);
    }
    page.remove(2).unwrap();
    assert_eq!((find(&page, 2), find(&page, 0), find(&page, 4)), (None, None, None));
    assert!(page.remove(2).is_err() && page.view(KIND).unwrap().item(2).is_err());
    assert_eq!(add(&mut page, b"d"), 2);
    page.remove(2).unwrap();
    page.remove(3).unwrap();
    assert_eq!(page.view(KIND).unwrap().last(), 1);
    assert_eq!(page.view(KIND).unwrap().items().collect::<Result<Vec<_>, _>>(), Ok(vec![(1, &b"a"[..])]));
}

#[test]
fn an_item_is_replaced_where_it_stands() {
    let mut page = page();
    add(&mut page, b"neighbour");
    let no = add(&mut page, &[5; 20]);
    let before = find(&page, no).unwrap().as_ptr();
    assert_eq!(page.replace(no, &[6; 25]), Ok(false));
    assert_eq!(find(&page, no).unwrap(), [5; 20]);
    assert_eq!(page.replace(no, &[6; 24]), Ok(true));
    assert_eq!(page.replace(no, &[7; 9]), Ok(true));
    assert_eq!(find(&page, no).unwrap(), [7; 9]);
    assert_eq!(find(&page, no).unwrap().as_ptr(), before);
    assert_eq!(find(&page, 1).unwrap(), b"neighbour");
    assert!(page.replace(no, b"").is_err() && page.replace(9, b"x").is_err());
    page.item_mut(no).unwrap().unwrap()[0] = 1;
    assert_eq!(find(&page, no).unwrap()[..2], [1, 7]);
    assert_eq!(page.item_mut(9).unwrap(), None);
}

#[test]
fn an_item_that_grows_keeps_its_number() {
    let mut page = page();
    let numbers: Vec<_> = (0..8).map(|seed| add(&mut page, &[seed; 1000])).collect();
    // Exactly what there is, with its own old bytes.
    let most = room(&page).next_multiple_of(8) + 8 + 1000;
    assert_eq!(page.resize(3, &vec![77; most + 1]), Ok(false));
    assert_eq!(find(&page, 3).unwrap(), [2; 1000]);
    assert_eq!(page.resize(3, &vec![77; most]), Ok(true));
    assert_eq!(find(&page, 3).unwrap(), vec![77; most]);
    assert_eq!(page.resize(3, &[78; 5]), Ok(true));
    assert_eq!(page.resize(3, &[79; 1016]), Ok(true));
    assert_eq!(find(&page, 3).unwrap(), [79; 1016]);
    for (seed, &no) in numbers.iter().enumerate().filter(|&(_, &no)| no != 3) {
        assert_eq!(find(&page, no).unwrap(), [seed as u8; 1000]);
    }
    assert!(page.resize(3, b"").is_err() && page.resize(9, b"x").is_err());
}

#[test]
fn room_in_pieces_is_put_together() {
    let mut page = page();
    let numbers: Vec<_> = (0..8).map(|seed| add(&mut page, &[seed; 1000])).collect();
    for &no in numbers.iter().step_by(2) {
        page.remove(no).unwrap();
    }
    let most = room(&page);
    assert!(most > 4000);
    assert_eq!(add(&mut page, &vec![99; most]), 1);
    assert_eq!(room(&page), 0);
    for (seed, &no) in numbers.iter().enumerate().skip(1).step_by(2) {
        assert_eq!(find(&page, no).unwrap(), [seed as u8; 1000]);
    }
}

#[test]
fn a_freed_number_waits_for_its_stamp() {
    let mut page = page();
    let (old, kept) = (add(&mut page, &[1; 4000]), add(&mut page, b"kept"));
    page.free(old, Stamp::from_raw(50)).unwrap();
    assert_eq!(find(&page, old), None);
    assert!(page.free(old, Stamp::from_raw(51)).is_err());
    let freed: Vec<_> = page.view(KIND).unwrap().freed().map(Result::unwrap).collect();
    assert_eq!(freed, [(old, Stamp::from_raw(50))]);
    // The bytes are free, the number is not.
    assert_eq!(add(&mut page, &[2; 6000]), 3);
    assert_eq!(page.reclaim(|stamp| stamp < Stamp::from_raw(50)), Ok(0));
    assert_eq!(page.reclaim(|stamp| stamp <= Stamp::from_raw(50)), Ok(1));
    assert_eq!(add(&mut page, b"new"), old);
    assert_eq!(find(&page, kept).unwrap(), b"kept");
}

#[test]
fn an_item_of_another_generation_is_not_the_one_meant() {
    let mut page = page();
    let head = |generation| ItemHead::new(7, 0, ItemPointer::NONE, generation);
    let first = page.next_generation();
    let no = add(&mut page, zerocopy::IntoBytes::as_bytes(&head(first)));
    let live =
        |page: &Page, tag, generation| page.view(KIND).unwrap().live(no, tag, generation).unwrap().is_some();
    assert!(live(&page, 7, first) && !live(&page, 8, first) && !live(&page, 7, first + 1));
    page.remove(no).unwrap();
    assert!(!live(&page, 7, first));
    let second = page.next_generation();
    assert_eq!(add(&mut page, zerocopy::IntoBytes::as_bytes(&head(second))), no);
    assert!(live(&page, 7, second) && !live(&page, 7, first));
    // Nor after the page has begun anew.
    page.init(KIND);
    assert!(page.next_generation() > second);
    add(&mut page, b"short");
    assert!(page.view(KIND).unwrap().live(1, 7, 1).is_err());
}

#[test]
fn a_line_pointer_outside_the_items_is_damage() {
    let line = |begin: u32, len: u32, state: u32| begin | state << 15 | len << 17;
    let mut page = page();
    add(&mut page, &[1; 16]);
    for sound in [line(8160, 16, 1), line(8168, 8, 1), line(8160, 8, 3), 0] {
        page.bytes_mut()[24..28].copy_from_slice(&sound.to_le_bytes());
        assert!(page.view(KIND).unwrap().find(1).is_ok());
    }
    let outside = [line(8160, 17, 1), line(8176, 8, 1), line(8152, 8, 1), line(8164, 8, 1), line(8160, 0, 1)];
    for damaged in outside.into_iter().chain([line(8160, 16, 2), line(8160, 16, 3)]) {
        page.bytes_mut()[24..28].copy_from_slice(&damaged.to_le_bytes());
        assert!(page.view(KIND).unwrap().find(1).is_err(), "{damaged:#x}");
    }
}

#[test]
fn generations_wrap_past_zero() {
    let mut page = page();
    page.next_generation();
    // The special area begins with link and spare number.
    page.bytes_mut()[8184..8188].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(page.next_generation(), 1);
}

#[test]
fn items_are_taken_apart() {
    let mut page = page();
    let no = page.add_zeroed(64).unwrap().unwrap();
    let mut writer = ItemWriter::new(page.item_mut(no).unwrap().unwrap());
    writer.put(&ItemHead::new(1, 2, ItemPointer::new(3, 4), 5)).unwrap();
    *writer.one::<u16>().unwrap() = 3;
    writer.align(8).unwrap();
    writer.many::<f32>(3).unwrap().copy_from_slice(&[1.0, 2.0, 3.0]);
    assert!(writer.many::<u64>(1).is_err(), "twelve bytes on is not aligned");
    let mut reader = ItemReader::new(find(&page, no).unwrap());
    let head: &ItemHead = reader.one().unwrap();
    assert_eq!((head.owner, head.generation()), (ItemPointer::new(3, 4), 5));
    assert_eq!(*reader.one::<u16>().unwrap(), 3);
    reader.align(8).unwrap();
    assert_eq!(reader.many::<f32>(3).unwrap(), [1.0, 2.0, 3.0]);
    assert_eq!(reader.rest().len(), 36);
    assert!(reader.clone().many::<u8>(37).is_err() && reader.clone().many::<u32>(usize::MAX).is_err());
    assert!(reader.clone().one::<u64>().is_err() && reader.clone().one::<[u8; 37]>().is_err());
    assert_eq!(reader.many::<u8>(36).unwrap(), [0; 36]);
    assert!(reader.one::<u8>().is_err() && reader.rest().is_empty());
}

/// Every accessor, on whatever page. Nothing may panic, and what is lent lies within the page.
fn use_every_accessor(page: &Page) {
    let _ = (page.is_new(), page.kind(), page.next(), page.spare(), page.view(KIND).is_ok());
    let Ok(view) = page.sound() else { return };
    let numbers = [0, 1, 2, 3, view.last(), view.last().wrapping_add(1), u16::MAX];
    for no in numbers {
        let _ = view.item(no);
        let _ = view.live(no, 1, 1);
        if let Ok(Some(item)) = view.find(no) {
            let begin = item.as_ptr().addr() - page.bytes().as_ptr().addr();
            assert!(!item.is_empty() && begin >= 24 && begin + item.len() <= 8176);
            assert!(item.as_ptr().addr().is_multiple_of(8));
        }
    }
    let _ = view.items().try_for_each(|item| item.map(|_| ()));
    let _ = view.freed().try_for_each(|item| item.map(|_| ()));
    let room = view.room();
    let mut copy = Page::zeroed();
    let fresh = |copy: &mut Page| copy.copy_from(page);
    for no in numbers {
        type Change = fn(&mut Page, u16) -> Result<(), Defect>;
        let changes: [Change; 9] = [
            |page, no| page.remove(no),
            |page, no| page.free(no, Stamp::EARLIEST),
            |page, no| page.replace(no, &[1; 9]).map(|_| ()),
            |page, no| page.resize(no, &[1; 900]).map(|_| ()),
            |page, no| {
                page.item_mut(no).map(|item| {
                    if let Some(item) = item {
                        item.fill(1);
                    }
                })
            },
            |page, _| page.compact(),
            |page, _| page.zero_hole(),
            |page, _| page.reclaim(|_| true).map(|_| ()),
            |page, _| page.add_zeroed(100).map(|_| ()),
        ];
        for change in changes {
            fresh(&mut copy);
            if change(&mut copy, no).is_ok() {
                assert!(copy.sound().is_ok(), "a change that succeeds leaves a page that can be read");
            }
        }
    }
    if let Ok(room) = room {
        fresh(&mut copy);
        assert_eq!(copy.add(&vec![1; room + 1]), Ok(None));
    }
}

/// A sound page after a few random changes.
fn worked_page() -> impl Strategy<Value = Box<Page>> {
    prop::collection::vec((0u8..4, 1u16..12, 1usize..1500), 0..40).prop_map(|changes| {
        let mut page = page();
        for (change, no, len) in changes {
            let _ = match change {
                0 => page.remove(no),
                1 => page.free(no, Stamp::from_raw(len as u64)),
                2 => page.reclaim(|stamp| stamp < Stamp::from_raw(700)).map(|_| ()),
                _ => page.add(&vec![len as u8; len]).map(|_| ()),
            };
        }
        page
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_bytes_do_not_panic(seed: u64) {
        let mut page = Page::zeroed();
        let mut rng = fastrand::Rng::with_seed(seed);
        rng.fill(page.bytes_mut());
        use_every_accessor(&page);
    }

    /// Random line pointers and bounds under a header that is ours.
    #[test]
    fn random_lines_do_not_panic(seed: u64, lower in 20u16..400, upper in 0u16..8192) {
        let mut page = page();
        let mut rng = fastrand::Rng::with_seed(seed);
        rng.fill(&mut page.bytes_mut()[24..PAGE_SIZE - 16]);
        page.bytes_mut()[12..14].copy_from_slice(&(lower & !3).to_le_bytes());
        page.bytes_mut()[14..16].copy_from_slice(&(upper & !7).to_le_bytes());
        use_every_accessor(&page);
    }

    #[test]
    fn flipped_bits_do_not_panic(page in worked_page(), flips in prop::collection::vec((0usize..96, 0u8..8), 1..6), tail: bool) {
        let mut page = page;
        for (place, bit) in flips {
            // Header and line pointers, or the end with the special area.
            let place = if tail { PAGE_SIZE - 1 - place } else { place };
            page.bytes_mut()[place] ^= 1 << bit;
        }
        use_every_accessor(&page);
    }

    /// All items are what they were, and the freed bytes are in the hole.
    #[test]
    fn compaction_moves_and_changes_nothing(page in worked_page()) {
        let mut page = page;
        let was: Vec<(u16, Vec<u8>)> =
            page.view(KIND).unwrap().items().map(|item| item.map(|(no, item)| (no, item.to_vec())).unwrap()).collect();
        let freed: Vec<_> = page.view(KIND).unwrap().freed().collect::<Result<_, _>>().unwrap();
        let room = page.view(KIND).unwrap().room().unwrap();
        page.compact().unwrap();
        let view = page.view(KIND).unwrap();
        prop_assert_eq!((view.gaps().unwrap(), view.room().unwrap()), (0, room));
        let is: Vec<(u16, Vec<u8>)> = view.items().map(|item| item.map(|(no, item)| (no, item.to_vec())).unwrap()).collect();
        prop_assert_eq!(is, was);
        prop_assert_eq!(view.freed().collect::<Result<Vec<_>, _>>().unwrap(), freed);
        let lower = usize::from(u16::from_le_bytes([page.bytes()[12], page.bytes()[13]]));
        let upper = usize::from(u16::from_le_bytes([page.bytes()[14], page.bytes()[15]]));
        prop_assert!(page.bytes()[lower..upper].iter().all(|&byte| byte == 0));
    }


    #[test]
    fn room_is_exact(page in worked_page()) {
        let room = room(&page);
        let before: Vec<_> = page.view(KIND).unwrap().items().map(|item| item.map(|(no, item)| (no, item.to_vec())).unwrap()).collect();
        let mut more = Page::zeroed();
        more.copy_from(&page);
        prop_assert_eq!(more.add(&vec![1; room + 1]).unwrap(), None);
        if room > 0 {
            let no = more.add(&vec![2; room]).unwrap();
            prop_assert!(no.is_some());
            let after: Vec<_> = more.view(KIND).unwrap().items()
                .map(Result::unwrap)
                .filter(|&(other, _)| Some(other) != no)
                .map(|(no, item)| (no, item.to_vec()))
                .collect();
            prop_assert_eq!(before, after);
        }
    }
}
