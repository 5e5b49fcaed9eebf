//! Chance that can be repeated: the same seed, the same numbers.

/// The generator known as `SplitMix64`.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed nobody has chosen.
    pub fn any_seed() -> u64 {
        let mut octets = [0; 8];
        getrandom::fill(&mut octets).unwrap();
        u64::from_be_bytes(octets)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, this.
    pub fn below(&mut self, most: u64) -> u64 {
        self.number() % most
    }

    /// True so often in a hundred.
    pub fn percent(&mut self, often: u64) -> bool {
        self.below(100) < often
    }
}
