"""What the shop's jobs do: how often, for how long, and what they tell of it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BERLIN = "Europe/Berlin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One job of the shop."""

    name: str
    cron: str
    description: str
    seconds: float
    """How long it usually takes."""
    noun: str
    """What it handles, as the key of the value that it reports."""
    amount: int
    """How many of them, about."""
    timezone: str = "UTC"
    jitter: int = 0
    flaky: float = 0.0
    """How often it fails: 0.01 is once in a hundred runs."""
    policies: Mapping[str, Any] = field(default_factory=dict)

    def draw_seconds(self, chance: random.Random) -> float:
        """Return how long one run takes: most are near the usual, a few are much longer."""
        return self.seconds * chance.lognormvariate(0, 0.18)

    def draw_amount(self, chance: random.Random) -> int:
        return round(self.amount * chance.uniform(0.7, 1.3))


def _task(
    name: str, cron: str, seconds: float, amount: int, noun: str, description: str, **more: Any
) -> Task:
    own = {key: more.pop(key) for key in ("timezone", "jitter", "flaky") if key in more}
    return Task(
        name=name, cron=cron, seconds=seconds, amount=amount, noun=noun, description=description,
        policies=more, **own,
    )  # fmt: skip


_ALL = (
    _task("import-orders", "*/5 * * * *", 4, 18, "orders",
          "Fetch new orders from the marketplaces.", flaky=0.004, retries=2, retry_delay=20.0),
    _task("send-order-mails", "* * * * *", 0.6, 4, "mails",
          "Send the confirmations of new orders.", flaky=0.0005),
    _task("capture-payments", "*/10 * * * *", 6, 25, "payments",
          "Capture the payments of shipped orders.", flaky=0.006, retries=3, retry_delay=30.0),
    _task("sync-inventory", "*/15 * * * *", 21, 2_400, "products",
          "Copy the stock levels from the warehouse."),
    _task("check-stock-levels", "*/5 * * * *", 0.9, 320, "products",
          "Order what runs out of stock."),
    _task("release-stale-carts", "*/30 * * * *", 2.2, 14, "carts",
          "Free what lies in carts that nobody has touched for a day."),
    _task("fraud-scores", "*/5 * * * *", 5, 9, "orders",
          "Score new orders for fraud.", flaky=0.001),
    _task("track-parcels", "*/20 * * * *", 31, 540, "parcels",
          "Ask the carriers where the parcels are.", jitter=60, flaky=0.01),
    _task("print-shipping-labels", "*/6 8-18 * * 1-5", 8, 22, "labels",
          "Print the labels of what is packed.", timezone=BERLIN),
    _task("ping-partners", "* * * * *", 0.4, 6, "partners",
          "See whether the partners' systems answer."),
    _task("update-exchange-rates", "5 * * * *", 1.3, 31, "currencies",
          "Fetch the exchange rates of the central bank.", catch_up="once"),
    _task("refresh-recommendations", "*/10 * * * *", 415, 8_800, "customers",
          "Compute what else a customer may like."),
    _task("warm-caches", "*/20 * * * *", 12, 640, "pages",
          "Ask for the pages that are read most."),
    _task("resize-product-images", "*/15 * * * *", 25, 60, "images",
          "Make thumbnails of new pictures.", isolated=True),
    _task("sync-crm", "25 * * * *", 40, 210, "customers",
          "Copy changed customers to the CRM.", flaky=0.02, retries=1, retry_delay=120.0),
    _task("export-to-warehouse", "55 * * * *", 88, 190, "orders",
          "Hand paid orders over to the warehouse."),
    _task("price-watch", "0 */2 * * *", 70, 1_250, "offers",
          "Compare our prices with those of others."),
    _task("sync-marketplace-prices", "35 */3 * * *", 48, 2_400, "prices",
          "Set the prices at the marketplaces."),
    _task("import-supplier-feed", "10 */4 * * *", 185, 11_000, "articles",
          "Read the suppliers' price lists.", flaky=0.01),
    _task("reindex-search", "20 2 * * *", 490, 24_000, "documents",
          "Build the search index anew."),
    _task("backup-database", "30 1 * * *", 830, 1, "archives",
          "Dump the database and copy the archive elsewhere.", catch_up="once", timeout=7_200.0),
    _task("verify-backup", "0 4 * * *", 300, 1, "archives",
          "Restore last night's archive and count its rows.", catch_up="once"),
    _task("export-accounting", "15 3 * * *", 95, 420, "bookings",
          "Send yesterday's bookings to the accountants.", timezone=BERLIN),
    _task("reconcile-payments", "45 4 * * *", 355, 510, "payments",
          "Compare the bank's statement with our payments.", retries=3, retry_delay=300.0),
    _task("calculate-commissions", "20 5 * * *", 122, 37, "partners",
          "Compute what the partners have earned.", timezone=BERLIN),
    _task("send-invoices", "0 6 * * *", 236, 410, "invoices",
          "Send the invoices of yesterday's deliveries.", timezone=BERLIN),
    _task("dunning-reminders", "30 7 * * 1-5", 45, 23, "reminders",
          "Remind customers of unpaid invoices.", timezone=BERLIN),
    _task("vat-report", "0 5 1 * *", 420, 1, "reports",
          "Compute last month's value added tax.", timezone=BERLIN),
    _task("sales-report", "0 7 * * *", 33, 12, "recipients",
          "Mail yesterday's figures.", timezone=BERLIN),
    _task("weekly-report", "0 6 * * 1", 104, 12, "recipients",
          "Mail last week's figures.", timezone=BERLIN),
    _task("send-newsletter", "0 9 * * 2", 430, 18_400, "mails",
          "Send the newsletter.", timezone=BERLIN),
    _task("birthday-vouchers", "0 8 * * *", 9, 48, "vouchers",
          "Send vouchers to those whose birthday it is.", timezone=BERLIN),
    _task("forecast-demand", "30 2 * * *", 660, 2_400, "products",
          "Forecast what will be sold next week.", isolated=True),
    _task("generate-sitemap", "40 3 * * *", 92, 24_000, "addresses",
          "Write the sitemap for search engines."),
    _task("purge-deleted-accounts", "50 2 * * *", 15, 7, "accounts",
          "Delete what is left of closed accounts."),
    _task("anonymise-old-orders", "0 3 * * 0", 540, 3_100, "orders",
          "Take the names out of orders that are ten years old."),
    _task("monitor-certificates", "0 12 * * *", 4, 19, "certificates",
          "Warn of certificates that expire soon."),
    _task("close-support-tickets", "0 22 * * *", 12, 31, "tickets",
          "Close tickets that nobody has answered for two weeks."),
    _task("rotate-api-keys", "0 1 * * 6", 6, 5, "keys",
          "Replace the keys of the partners' interfaces."),
    _task("sync-legacy-erp", "0 */6 * * *", 75, 800, "articles",
          "Copy articles to the old ERP.", flaky=0.03),
)  # fmt: skip
TASKS = {task.name: task for task in _ALL}
