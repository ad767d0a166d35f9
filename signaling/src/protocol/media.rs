//! Words of the media plane that cross the wire. Media itself travels by RTP, never here.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::ids::UserId;

/// What a track carries. A participant publishes at most one track of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum Source {
    Microphone,
    Camera,
    Screen,
    ScreenAudio,
}

impl Source {
    pub const ALL: [Self; 4] = [Self::Microphone, Self::Camera, Self::Screen, Self::ScreenAudio];

    /// True for microphone and screen audio.
    pub fn is_audio(self) -> bool {
        matches!(self, Self::Microphone | Self::ScreenAudio)
    }
}

/// How a picture may be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum VideoCodec {
    /// What every browser decodes.
    Vp8,
    /// Constrained baseline, packetization mode 1.
    H264,
}

/// One track somebody publishes; (user, source) is its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct Publication {
    pub user: UserId,
    pub source: Source,
}

/// Which of a participant's two WebRTC connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum LegKind {
    /// Offered by the client; four sendonly tracks.
    Publisher,
    /// Offered by the SFU; one recvonly track per [`Slot`].
    Subscriber,
}

/// Index into the fixed table of the subscriber leg; equals the `mid` of its media section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(transparent)]
#[ts(export_to = "generated.ts")]
pub struct Slot(pub u8);

/// What a slot can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum SlotKind {
    /// Slot 0: the lesson's teacher, so that a change of speakers never touches that voice.
    TeacherAudio,
    /// Slots 1 to 3: whoever else speaks.
    SpeakerAudio,
    /// Slot 4.
    Screen,
    /// Slot 5.
    ScreenAudio,
    /// Slots 6 and up: cameras.
    Camera,
}

impl Slot {
    pub const TEACHER_AUDIO: Self = Self(0);
    pub const SCREEN: Self = Self(4);
    pub const SCREEN_AUDIO: Self = Self(5);
    pub const FIRST_CAMERA: Self = Self(6);

    /// The kind by position in the table.
    #[inline]
    pub fn kind(self) -> SlotKind {
        match self.0 {
            0 => SlotKind::TeacherAudio,
            1..=3 => SlotKind::SpeakerAudio,
            4 => SlotKind::Screen,
            5 => SlotKind::ScreenAudio,
            _ => SlotKind::Camera,
        }
    }
}

/// What a participant chooses to receive; the first thing to save on paid mobile data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum ReceiveMode {
    Voice,
    VoiceAndScreen,
    LowVideo,
    #[default]
    Everything,
}

/// What a receiver's budget leaves of the pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum Pictures {
    /// All that were asked for.
    #[default]
    Full,
    /// Smaller ones, fewer, or none for moments.
    Spared,
    /// No camera; a shared screen page by page.
    Screen,
    /// None: what is left is for the voice.
    None,
}

/// A camera that is on the receiver's screen, with the size it is drawn at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct WantedVideo {
    pub user: UserId,
    /// Device pixels; chooses the simulcast layer.
    pub width: u16,
    pub height: u16,
}

/// Which media section of a publisher offer carries which source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct OfferedTrack {
    /// The `mid` in the offer.
    pub mid: String,
    pub source: Source,
}
