//! The notation of transforms' states: what kind and version it is, then numbers and texts, little-endian.
//!
//! **Invariant:** reading never panics and never reserves more than the bytes at hand can fill; one that is not
//! whole, or has more than was read, gives `None`.

/// Puts a state together.
pub(crate) struct StateWriter(Vec<u8>);

impl StateWriter {
    /// A state of a kind and version, that holds only for these options.
    pub(crate) fn new(kind: &str, options: &str) -> Self {
        let mut writer = Self(Vec::new());
        writer.text(kind);
        writer.text(options);
        writer
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn u128(&mut self, number: u128) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, number: i64) {
        self.u64(number.cast_unsigned());
    }

    /// Every bit of it.
    pub(crate) fn f64(&mut self, number: f64) {
        self.u64(number.to_bits());
    }

    pub(crate) fn f64s(&mut self, numbers: &[f64]) {
        self.u64(numbers.len() as u64);
        numbers.iter().for_each(|number| self.f64(*number));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.u64(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes a state apart.
pub(crate) struct StateReader<'a>(&'a [u8]);

impl<'a> StateReader<'a> {
    /// `None` if it is of another kind or version, or was made under other options.
    pub(crate) fn open(state: &'a [u8], kind: &str, options: &str) -> Option<Self> {
        let mut reader = Self(state);
        (reader.bytes()? == kind.as_bytes() && reader.bytes()? == options.as_bytes())
            .then_some(reader)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Option<u128> {
        self.take().map(u128::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.u64().map(u64::cast_signed)
    }

    pub(crate) fn f64(&mut self) -> Option<f64> {
        self.u64().map(f64::from_bits)
    }

    /// At most `max` numbers.
    pub(crate) fn f64s(&mut self, max: usize) -> Option<Vec<f64>> {
        let length = usize::try_from(self.u64()?).ok().filter(|length| *length <= max)?;
        (0..length).map(|_| self.f64()).collect()
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u64()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// Whether all has been read.
    pub(crate) fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}
