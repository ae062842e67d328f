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

    pub(crate) fn text(&mut self, text: &str) {
        self.u64(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
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
        (reader.text()? == kind.as_bytes() && reader.text()? == options.as_bytes())
            .then_some(reader)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Option<u128> {
        self.take().map(u128::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u64()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
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
