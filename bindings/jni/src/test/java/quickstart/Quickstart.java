// A user reads a card in a feed. What stands between the two marks is README.md's first sample, byte for byte.
package quickstart;

// [readme
import dev.yukha.Config;
import dev.yukha.Tracker;
import java.util.concurrent.TimeUnit;

public class Quickstart {
    public static void main(String[] arguments) {
        Config config = new Config("shop", arguments[0])
                .endpoint(arguments[1])
                .key("app-2026-11", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=");
        try (Tracker tracker = Tracker.open(config)) {
            System.out.println("identify: " + tracker.identify("u_1842"));
            System.out.println("track: " + tracker.event()
                    .location("FEED", "y", "3")
                    .content("card_913", "type", "card")
                    .referral("CLICK")
                    .action("READ", 10, TimeUnit.SECONDS)
                    .track());
            System.out.println("flush: " + tracker.flush(5, TimeUnit.SECONDS));
        }
    }
}
// readme]
