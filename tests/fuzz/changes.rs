//! Changes of inputs: those that parsers stumble over.

use rand::{RngExt as _, rngs::StdRng};

/// Longest input made.
const LONGEST: usize = 4_096;

/// One of the corpus, changed a few times.
pub fn mixed(corpus: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut input = corpus[random.random_range(0..corpus.len())].clone();
    for _ in 0..random.random_range(1..6) {
        change(&mut input, corpus, random);
    }
    input.truncate(LONGEST);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut StdRng) {
    let at = random.random_range(0..=input.len());
    let length = random.random_range(1..=32).min(input.len() - at);
    match random.random_range(0..9) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..at + length)),
        2 => drop(input.splice(at..at, bytes(random))),
        3 => drop(input.splice(at..at + length, bytes(random))),
        4 => {
            let again = input[at..at + length].to_vec();
            drop(input.splice(at..at, again));
        }
        5 => {
            let other = &corpus[random.random_range(0..corpus.len())];
            let from = random.random_range(0..=other.len());
            drop(input.splice(at.., other[from..].iter().copied()));
        }
        6 => number(&mut input[at..], random),
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.random_range(0..8);
            }
        }
    }
}

fn bytes(random: &mut StdRng) -> Vec<u8> {
    (0..random.random_range(1..=16)).map(|_| random.random()).collect()
}

/// Writes a number that lengths and counters often are wrong about.
fn number(rest: &mut [u8], random: &mut StdRng) {
    let numbers = [0, 1, 2, 3, 4, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xfffe, 0xffff, rest.len() as u16];
    let number = numbers[random.random_range(0..numbers.len())];
    match (random.random(), rest) {
        (true, [first, second, ..]) => [*first, *second] = number.to_be_bytes(),
        (_, [first, ..]) => *first = number as u8,
        _ => {}
    }
}
