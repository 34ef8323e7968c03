//! How fast data moves: memory, disk and network.

use crate::quantity::quantity;

quantity! {
    /// Bytes per second; always positive. Networks may be written in bits (`40 Mbit/s`).
    ///
    /// ```
    /// use nearside_units::BytesPerSecond;
    /// let uplink: BytesPerSecond = "40 Mbit/s".parse().unwrap();
    /// assert_eq!(uplink.as_bytes_per_second(), 5e6);
    /// ```
    BytesPerSecond, "bandwidth", checked_rate, from_bytes_per_second, as_bytes_per_second,
    units: [("bit/s", 0.125), ("kbit/s", 125.0), ("Mbit/s", 125e3), ("Gbit/s", 125e6),
            ("Tbit/s", 125e9), ("kbps", 125.0), ("Mbps", 125e3), ("Gbps", 125e6), ("B/s", 1.0), ("kB/s", 1e3), ("MB/s", 1e6), ("MiB/s", 1_048_576.0),
            ("GB/s", 1e9), ("GiB/s", 1_073_741_824.0), ("TB/s", 1e12)],
    shown: ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"]
}
