//! Traces as the runtimes print them, each between lines of a log.

use super::super::grouping::{Close, Grouping};
use super::super::rules::Rules;
use super::Preset;

fn events(preset: Preset, text: &str) -> Vec<String> {
    let grouping = Grouping::new(Rules::Preset(preset), 1000, 1 << 20);
    let mut ends = Vec::new();
    let len = grouping.cut(text.as_bytes(), Close::Take, &mut ends);
    assert_eq!(len, text.len());
    let mut start = 0;
    let events = ends.iter().map(|end| {
        let event = text[start..*end].to_owned();
        start = end + 1;
        event
    });
    events.collect()
}

/// Each of `blocks` is one event, by its own preset and by `any`.
fn check(preset: Preset, blocks: &[&str]) {
    let text: String = blocks.iter().map(|block| format!("{block}\n")).collect();
    assert_eq!(events(preset, &text), blocks, "{preset:?}");
    assert_eq!(events(Preset::Any, &text), blocks, "any, for {preset:?}");
}

#[test]
fn java() {
    check(
        Preset::Java,
        &[
            "2026-01-02 10:00:00,123 INFO  [main] c.s.Orders - started",
            "2026-01-02 10:00:01,000 ERROR [http-1] c.s.Orders - request failed\n\
             java.lang.IllegalStateException: no connection\n\
             \tat com.shop.Orders.find(Orders.java:42) ~[orders.jar:1.0]\n\
             \tat java.base/java.lang.Thread.run(Thread.java:1583)\n\
             \tSuppressed: java.io.IOException: close\n\
             \t\tat com.shop.Pool.close(Pool.java:7)\n\
             \t\t... 3 common frames omitted\n\
             Caused by: java.net.ConnectException: refused\n\
             \tat com.shop.Pool.open(Pool.java:3)\n\
             \t... 12 more",
            "2026-01-02 10:00:02,000 WARN  [main] c.s.Orders - slow",
            "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n\
             \tat com.shop.Main.main(Main.java:5)",
            "com.shop.NotFoundException\n    at com.shop.Orders.get(Orders.kt:9)",
            "2026-01-02 10:00:03,000 INFO  [main] c.s.Orders - java.lang.Exception was handled",
        ],
    );
}

#[test]
fn python() {
    check(
        Preset::Python,
        &[
            "INFO:root:started",
            "ERROR:root:request failed\n\
             Traceback (most recent call last):\n\
             \x20 File \"/srv/app.py\", line 3, in find\n\
             \x20   return orders[id]\n\
             \x20          ~~~~~~^^^^\n\
             KeyError: 'id'\n\
             \n\
             During handling of the above exception, another exception occurred:\n\
             \n\
             Traceback (most recent call last):\n\
             \x20 File \"/srv/app.py\", line 9, in <module>\n\
             \x20   find()\n\
             shop.errors.NotFound: no such order",
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\nValueError: x",
            "",
            "INFO:root:after an empty line",
        ],
    );
}

#[test]
fn go() {
    check(
        Preset::Go,
        &[
            "2026/01/02 10:00:00 listening on :8080",
            "panic: runtime error: index out of range [5] with length 3\n\
             \n\
             goroutine 1 [running]:\n\
             main.find(...)\n\
             \t/src/main.go:9\n\
             main.main()\n\
             \t/src/main.go:14 +0x1d\n\
             \n\
             goroutine 18 [chan receive, 2 minutes]:\n\
             net/http.(*conn).serve(0xc0000a2000, {0x6b5f30, 0xc00007c0c0})\n\
             \t/usr/lib/go/src/net/http/server.go:1930 +0x2b1\n\
             created by main.start in goroutine 1\n\
             \t/src/main.go:20 +0x5c\n\
             exit status 2",
            "2026/01/02 10:00:01 listening on :8080",
            "panic: boom\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x45e]\n\
             \n\
             goroutine 1 [running]:\n\
             main.main()\n\
             \t/src/main.go:3 +0x18",
            "",
            "2026/01/02 10:00:02 after an empty line",
        ],
    );
}

#[test]
fn ruby() {
    check(
        Preset::Ruby,
        &[
            "I, [2026-01-02T10:00:00.1 #7]  INFO -- : started",
            "app.rb:3:in `find': no such order (KeyError)\n\
             \tfrom app.rb:9:in `show'\n\
             \tfrom app.rb:12:in `<main>'",
            "E, [2026-01-02T10:00:01.1 #7] ERROR -- : no such order (KeyError)\n\
             app.rb:3:in 'Orders#find'\n\
             app.rb:12:in '<main>'",
            "I, [2026-01-02T10:00:02.1 #7]  INFO -- : next",
        ],
    );
}

#[test]
fn dotnet() {
    check(
        Preset::Dotnet,
        &[
            "info: Shop[0] started",
            "fail: Shop[0] request failed\n\
             System.InvalidOperationException: no connection\n\
             \x20---> System.Net.Sockets.SocketException (111): refused\n\
             \x20  at Shop.Pool.Open() in /src/Pool.cs:line 3\n\
             \x20  --- End of inner exception stack trace ---\n\
             \x20  at Shop.Orders.Find(Int32 id) in /src/Orders.cs:line 42\n\
             --- End of stack trace from previous location ---\n\
             \x20  at Shop.Main()",
            "info: Shop[0] next",
        ],
    );
}

#[test]
fn php() {
    check(
        Preset::Php,
        &[
            "[02-Jan-2026 10:00:00 UTC] started",
            "[02-Jan-2026 10:00:01 UTC] PHP Fatal error:  Uncaught Exception: no connection in /srv/orders.php:42\n\
             Stack trace:\n\
             #0 /srv/index.php(7): find()\n\
             #1 {main}\n\
             \n\
             Next RuntimeException: gave up in /srv/orders.php:50\n\
             Stack trace:\n\
             #0 {main}\n\
             \x20 thrown in /srv/orders.php on line 42",
            "[02-Jan-2026 10:00:02 UTC] next",
        ],
    );
}

#[test]
fn indented_lines_belong_to_the_line_before_them() {
    let text = "a\n b\n\tc\nd\n\n e\n";
    assert_eq!(events(Preset::Indent, text), ["a\n b\n\tc", "d", "\n e"]);
}
