//! How many datagrams the system dropped before they were read: Linux counts them for each socket in `/proc/net/udp`
//! (proc(5)).

use std::fs;
use std::os::fd::AsRawFd;

use tokio::net::UdpSocket;

/// Position of the inode and of the drops in a line.
const INODE_COLUMN: usize = 9;
const DROPS_COLUMN: usize = 12;

/// The count of one socket.
pub(super) struct SystemDrops {
    inode: String,
    table: &'static str,
    last: u64,
}

impl SystemDrops {
    /// `None` where the system does not say.
    pub fn of(socket: &UdpSocket) -> Option<Self> {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
        let is_v4 = socket.local_addr().ok()?.is_ipv4();
        let table = if is_v4 { "/proc/net/udp" } else { "/proc/net/udp6" };
        let drops = Self { inode, table, last: 0 };
        drops.total().is_some().then_some(drops)
    }

    /// Those since it was last asked.
    pub fn since_last(&mut self) -> u64 {
        let Some(total) = self.total() else { return 0 };
        let more = total.saturating_sub(self.last);
        self.last = total;
        more
    }

    fn total(&self) -> Option<u64> {
        drops_of(&fs::read_to_string(self.table).ok()?, &self.inode)
    }
}

fn drops_of(table: &str, inode: &str) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let is_ours = columns.nth(INODE_COLUMN) == Some(inode);
        let drops = columns.nth(DROPS_COLUMN - INODE_COLUMN - 1);
        if is_ours { drops?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::drops_of;

    #[test]
    fn the_count_of_a_socket_is_found_by_its_inode() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n \
            100: 0100007F:1389 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 41 2 0000000000000000 0\n \
            101: 0100007F:138A 00000000:0000 07 00000000:00000300 00:00000000 00000000     0        0 42 2 0000000000000000 17\n";
        assert_eq!(drops_of(table, "42"), Some(17));
        assert_eq!(drops_of(table, "41"), Some(0));
        assert_eq!(drops_of(table, "4"), None);
    }
}
