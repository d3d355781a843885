// A user reads a card in a feed. What stands between the two marks is README.md's second sample, byte for byte.
package quickstart

// [readme
import dev.yukha.Config
import dev.yukha.Tracker
import java.util.concurrent.TimeUnit.SECONDS

fun main(arguments: Array<String>) {
    val config = Config("shop", arguments[0]).apply {
        endpoint(arguments[1])
        key("app-2026-11", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=")
    }
    Tracker.open(config).use { tracker ->
        println("identify: ${tracker.identify("u_1842")}")
        val result = tracker.event()
            .location("FEED", mapOf("y" to "3"))
            .content("card_913", mapOf("type" to "card"))
            .referral("CLICK")
            .action("READ", 10, SECONDS)
            .track()
        println("track: $result")
        println("flush: ${tracker.flush(5, SECONDS)}")
    }
}
// readme]
