//! A tree of hashes over entries: one hash stands for all of them, and a short proof shows that one is
//! among them, or that an earlier tree is the beginning of a later one.
//!
//! ```text
//! leaf(data)      = SHA-256(0x00 | data)
//! node(l, r)      = SHA-256(0x01 | l | r)
//! root(D[0..n])   = node(root(D[0..k]), root(D[k..n])),  k the largest power of two below n
//! ```
//! The root of no entry is SHA-256 of nothing. Source: RFC 9162, "Certificate Transparency Version 2.0", section 2.1.

use sha2::{Digest as _, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of an entry.
#[must_use]
pub fn leaf(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// A tree that grows leaf by leaf; it holds a hash for each power of two in its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Roots of whole trees with how many leaves each has, the largest first.
    whole: Vec<(u64, Hash)>,
    size: u64,
}

impl Tree {
    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let (mut leaves, mut root) = (1, leaf);
        while let Some((_, left)) = self.whole.pop_if(|(size, _)| *size == leaves) {
            root = node(&left, &root);
            leaves *= 2;
        }
        self.whole.push((leaves, root));
        self.size += 1;
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hash that stands for all of them.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut whole = self.whole.iter().rev().map(|(_, root)| *root);
        let Some(last) = whole.next() else { return Sha256::new().finalize().into() };
        whole.fold(last, |right, left| node(&left, &right))
    }
}

/// The root of some leaves.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

/// Where leaves are divided: the largest power of two below their number.
fn half(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// The hashes that lead from a leaf to the root, those beside the leaf first; nothing where there is no such
/// leaf.
#[must_use]
pub fn inclusion(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let (left, right) = leaves.split_at(half(leaves.len()));
    let (mut path, other) = match index < left.len() {
        true => (inclusion(left, index)?, right),
        false => (inclusion(right, index - left.len())?, left),
    };
    path.push(root(other));
    Some(path)
}

/// The root that a leaf at a place leads to, in a tree of that size; nothing where the path has another
/// length than it would have (RFC 9162, 2.1.3.2).
#[must_use]
pub fn root_of_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut place, mut last, mut hash) = (index, size - 1, leaf);
    for other in path {
        if last == 0 {
            return None;
        }
        if place & 1 == 1 || place == last {
            hash = node(other, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, other);
        }
        place >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// The hashes that show that the first leaves are the beginning of all; nothing where there are fewer, or none
/// is asked for.
#[must_use]
pub fn consistency(leaves: &[Hash], first: usize) -> Option<Vec<Hash>> {
    fn path(leaves: &[Hash], first: usize, is_known: bool) -> Vec<Hash> {
        if first == leaves.len() {
            return if is_known { Vec::new() } else { vec![root(leaves)] };
        }
        let (left, right) = leaves.split_at(half(leaves.len()));
        let (mut path, other) = match first <= left.len() {
            true => (path(left, first, is_known), right),
            false => (path(right, first - left.len(), false), left),
        };
        path.push(root(other));
        path
    }
    (first > 0 && first <= leaves.len()).then(|| path(leaves, first, true))
}

/// Whether a tree is the beginning of another one (RFC 9162, 2.1.4.2).
#[must_use]
pub fn is_consistent(old: (u64, Hash), new: (u64, Hash), path: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == 0 || old_size > new_size {
        return false;
    }
    if old_size == new_size {
        return path.is_empty() && old_root == new_root;
    }
    let mut hashes = path.iter();
    // A whole tree is its own first hash.
    let first = if old_size.is_power_of_two() { Some(&old_root) } else { hashes.next() };
    let Some(first) = first else { return false };
    let (mut place, mut last) = (old_size - 1, new_size - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for other in hashes {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            old_hash = node(other, &old_hash);
            new_hash = node(other, &new_hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node(&new_hash, other);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == old_root && new_hash == new_root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|number| leaf(&number.to_be_bytes())).collect()
    }

    /// The definition, word for word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest(b"").into(),
            [one] => *one,
            _ => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                node(&by_definition(&leaves[..k]), &by_definition(&leaves[k..]))
            }
        }
    }

    fn hexadecimal(hash: &Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The entries and roots of the reference implementation of RFC 6962 (`certificate-transparency`,
    /// `merkle_tree_test.cc`).
    #[test]
    fn roots_are_those_of_the_reference() {
        let entries: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::default();
        assert_eq!(hexadecimal(&tree.root()), roots[0]);
        for (entry, root) in entries.iter().zip(&roots[1..]) {
            tree.push(leaf(entry));
            assert_eq!(hexadecimal(&tree.root()), *root, "{}", tree.size());
        }
    }

    #[test]
    fn every_leaf_of_every_tree_is_proven_and_nothing_else() {
        for size in 1..70 {
            let leaves = leaves(size);
            let whole = root(&leaves);
            assert_eq!(whole, by_definition(&leaves));
            assert_eq!(inclusion(&leaves, size), None);
            for (index, leaf) in leaves.iter().enumerate() {
                let path = inclusion(&leaves, index).unwrap();
                let led = |leaf, index, size, path: &[Hash]| {
                    root_of_inclusion(leaf, index as u64, size as u64, path)
                };
                assert_eq!(led(*leaf, index, size, &path), Some(whole));
                for other in 0..size {
                    assert_eq!(led(*leaf, other, size, &path) == Some(whole), other == index);
                }
                assert_ne!(led(node(leaf, leaf), index, size, &path), Some(whole));
                let longer: Vec<Hash> = path.iter().copied().chain([*leaf]).collect();
                assert_ne!(led(*leaf, index, size, &longer), Some(whole));
                if let Some((_, shorter)) = path.split_last() {
                    assert_ne!(led(*leaf, index, size, shorter), Some(whole));
                }
                for changed in 0..path.len() {
                    let mut path = path.clone();
                    path[changed][7] ^= 4;
                    assert_ne!(led(*leaf, index, size, &path), Some(whole));
                }
            }
        }
    }

    #[test]
    fn a_beginning_is_told_from_another_tree() {
        for size in 1..50 {
            let leaves = leaves(size);
            let new = (size as u64, root(&leaves));
            assert_eq!((consistency(&leaves, 0), consistency(&leaves, size + 1)), (None, None));
            for first in 1..=size {
                let path = consistency(&leaves, first).unwrap();
                let old = (first as u64, root(&leaves[..first]));
                assert!(is_consistent(old, new, &path), "{first} of {size}");
                let mut other = leaves.clone();
                other[first / 2][0] ^= 1;
                assert!(!is_consistent((old.0, root(&other[..first])), new, &path));
                assert!(!is_consistent(old, (new.0, root(&other)), &path));
                for changed in 0..path.len() {
                    let mut path = path.clone();
                    path[changed][31] ^= 128;
                    assert!(!is_consistent(old, new, &path), "{first} of {size}");
                }
            }
        }
    }
}
