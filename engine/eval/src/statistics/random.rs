//! The random numbers of resampling: SplitMix64 (Steele, Lea and Flood 2014), a counter that is mixed.
//!
//! Chosen because it is four lines, has no state but one word, passes the usual test batteries, and its draws do not
//! wait for each other. Its period of 2^64 is far beyond the 2·10^10 draws of the largest bootstrap.
//!
//! **Invariants**
//! 1. The sequence is a function of the seed and stays so from version to version: stored intervals can be made again.

/// What the counter goes up by: 2^64 divided by the golden ratio, made odd.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A seeded generator of 64-bit random numbers. Not for secrets.
///
/// ```
/// use tracehouse_eval::statistics::SplitMix64;
///
/// let mut random = SplitMix64::new(1234567);
/// assert_eq!(random.next_u64(), 6457827717110365317);
/// assert!(random.index(10) < 10);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A generator whose sequence the seed determines.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A random position below `count`, 0 when `count` is 0: the high half of a 128-bit product. Positions differ in
    /// probability by less than `count` / 2^64, which no result can show.
    pub fn index(&mut self, count: usize) -> usize {
        let product = u128::from(self.next_u64()) * (count as u128);
        (product >> 64) as usize
    }

    /// A uniform number above 0 and below 1.
    pub(super) fn unit(&mut self) -> f64 {
        // 53 random bits, in the middle of their step, so that neither 0 nor 1 comes up.
        ((self.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// A standard normal number (polar method of Marsaglia).
    fn normal(&mut self) -> f64 {
        loop {
            let x = 2.0 * self.unit() - 1.0;
            let y = 2.0 * self.unit() - 1.0;
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * square.ln() / square).sqrt();
            }
        }
    }

    /// A gamma number of a shape of at least 1 (Marsaglia and Tsang 2000).
    fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.unit().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// A beta number; both shapes are at least 1.
    pub(super) fn beta(&mut self, a: f64, b: f64) -> f64 {
        let x = self.gamma(a);
        let y = self.gamma(b);
        x / (x + y)
    }
}
