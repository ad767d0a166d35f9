//! Which simulcast layer to send: by the sizes its key frames told, never by the name or order of its rid.

use std::time::Duration;

/// What is known of one layer of a publication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerFacts {
    /// Width and height of the last key frame.
    pub size: Option<(u16, u16)>,
    /// Packets came in the last second or so.
    pub alive: bool,
    /// Bits per second, smoothed.
    pub bitrate: u32,
    /// Between two frames, smoothed; zero while unknown.
    pub interval: Duration,
}

/// What a slot may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub width: u16,
    pub height: u16,
}

/// A picture this much larger than its place (in tenths) is still sent: a slightly large picture costs less to the
/// eye than one of half the size.
const TOLERANCE: u32 = 14;

/// The layer to send: the largest that fits the wish; the smallest when none fits; `None` when nothing is alive.
pub fn choose(layers: &[LayerFacts], wish: Wish) -> Option<usize> {
    let mut known: Vec<usize> = (0..layers.len()).filter(|&layer| is_usable(&layers[layer])).collect();
    known.sort_by_key(|&layer| area(&layers[layer]));
    let fitting = known.iter().rfind(|&&layer| fits(&layers[layer], wish));
    fitting.or(known.first()).copied()
}

fn is_usable(layer: &LayerFacts) -> bool {
    layer.alive && layer.size.is_some()
}

fn area(layer: &LayerFacts) -> u32 {
    layer.size.map_or(0, |(width, height)| u32::from(width) * u32::from(height))
}

fn fits(layer: &LayerFacts, wish: Wish) -> bool {
    let within = |size: u16, room: u16| u32::from(size) * 10 <= u32::from(room) * TOLERANCE;
    layer.size.is_some_and(|(width, height)| within(width, wish.width) || within(height, wish.height))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(width: u16, height: u16, bitrate: u32) -> LayerFacts {
        LayerFacts { size: Some((width, height)), alive: true, bitrate, interval: Duration::ZERO }
    }

    fn wish(width: u16, height: u16) -> Wish {
        Wish { width, height }
    }

    /// Largest first, as Firefox may order them.
    fn layers() -> [LayerFacts; 3] {
        [layer(1280, 720, 1_200_000), layer(320, 180, 120_000), layer(640, 360, 400_000)]
    }

    #[test]
    fn size_decides_not_order() {
        assert_eq!(choose(&layers(), wish(u16::MAX, u16::MAX)), Some(0));
        assert_eq!(choose(&layers(), wish(640, 360)), Some(2));
        assert_eq!(choose(&layers(), wish(320, 180)), Some(1));
        assert_eq!(choose(&layers(), wish(100, 60)), Some(1), "the smallest is better than nothing");
    }

    #[test]
    fn a_silent_layer_is_not_chosen() {
        let mut layers = layers();
        layers[0].alive = false;
        assert_eq!(choose(&layers, wish(u16::MAX, u16::MAX)), Some(2));
        assert_eq!(choose(&[LayerFacts::default()], wish(1, 1)), None);
    }
}
