"""The drawer: every field, the row's menu, the chart, the policy."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.web.conftest import Host, row

FILLED = {
    "Interface": "docker0",
    "VLAN": "!100",
    "From": "!10.0.0.0/8",
    "To": "192.0.2.1",
    "Protocol": "tcp",
    "To port": "80, 443",
    "From port": "!53",
    "TCP flags": "syn",
    "Length": "40-1500",
    "TTL": "0-5",
    "Ends": "2h",
    "Beyond": "6/m per src",
    "Flow state": "!invalid, untracked",
    "Comment": 'say "no" \\ twice',
}
CHOSEN = {
    "Action": "count",
    "Direction": "ingress",
    "IP version": "ipv4",
    "Fragments": "false",
    "Packets": "true",
}


def form(page: Page) -> None:
    page.get_by_role("button", name="Form with every field").click()
    expect(page.get_by_role("heading", name="New rule")).to_be_visible()


def test_a_rule_of_every_field(page: Page, host: Host) -> None:
    form(page)
    for label, value in FILLED.items():
        page.get_by_label(label, exact=True).fill(value)
    for label, value in CHOSEN.items():
        page.get_by_label(label, exact=True).select_option(value)
    page.get_by_role("button", name="Add at 1").dblclick()
    expect(page.get_by_role("heading", name="New rule")).to_have_count(0)
    expect(page.locator("tr[data-rule]")).to_have_count(1)
    assert len(host.texts()) == 1, "once, also for who clicks twice"
    rule = host.service.call("GET", "/rules").json["rules"][0]
    assert rule["text"].startswith(
        "count tcp/80,443 ipv4 from not 10.0.0.0/8 to 192.0.2.1 sport not 53 on docker0 in "
        "vlan not 100 flags syn/syn length 40-1500 ttl 0-5 unfragmented state not invalid,untracked over 6/m burst 5 per src log until 2"
    )
    assert rule["comment"] == FILLED["Comment"]


def test_what_is_wrong_is_said_at_its_field(page: Page, host: Host) -> None:
    form(page)
    page.get_by_label("Protocol").fill("udp")
    port = page.get_by_label("To port")
    port.fill("65536")
    expect(port).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#sentence-verdict")).to_contain_text("65536")
    page.get_by_role("button", name="Add at 1").click()
    assert host.texts() == []
    port.fill("65535")
    expect(port).to_have_attribute("aria-invalid", "false")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="New rule")).to_have_count(0)


def test_a_rate_that_is_none_is_said_at_its_field(page: Page, host: Host) -> None:
    form(page)
    rate = page.get_by_label("While within")
    for wrong in ("fast", "5/s on eth0", "1000/s burst 5"):
        rate.fill(wrong)
        expect(rate).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#sentence-verdict")).to_contain_text("burst 21 or more")
    rate.fill("1000/s burst 21")
    expect(rate).to_have_attribute("aria-invalid", "false")
    page.get_by_role("button", name="Add at 1").click()
    expect(page.locator("tr[data-rule]")).to_have_count(1)
    assert host.texts() == ["drop limit 1000/s burst 21"]
    page.locator("tr[data-rule] .sentence-button").click()
    expect(page.get_by_text("Limited", exact=True)).to_be_visible()
    expect(page.get_by_text("1000/s burst 21", exact=True)).to_be_visible()


def test_the_sentence_fills_the_form(page: Page) -> None:
    form(page)
    sentence = page.get_by_role("combobox", name="Sentence")
    sentence.fill("accept icmpv6/echo-request from 2001:db8::/32 in disabled")
    expect(page.get_by_label("ICMP type")).to_have_value("echo-request")
    expect(page.get_by_label("In force")).to_have_value("false")
    expect(page.get_by_label("From", exact=True)).to_have_value("2001:db8::/32")


def menu(page: Page, text: str, name: str) -> None:
    row(page, text).get_by_role("button", name="More for rule").click()
    page.get_by_role("menuitem", name=name).click()


def test_the_menu_duplicates_inserts_and_moves(page: Page, host: Host) -> None:
    host.add("drop tcp/1")
    host.add("drop tcp/2")
    expect(row(page, "tcp/2")).to_be_visible()
    menu(page, "tcp/1", "Duplicate")
    page.get_by_role("combobox", name="Sentence").fill("drop tcp/10")
    page.get_by_role("button", name="Add at 2").click()
    expect(row(page, "tcp/10")).to_be_visible()
    menu(page, "tcp/2", "Insert above")
    page.get_by_role("combobox", name="Sentence").fill("drop tcp/11")
    page.keyboard.press("Enter")
    expect(row(page, "tcp/11")).to_be_visible()
    assert host.texts() == ["drop tcp/1", "drop tcp/10", "drop tcp/11", "drop tcp/2"]
    menu(page, "tcp/2", "Move up")
    expect(row(page, "tcp/2").get_by_role("button", name="Undo: moved")).to_be_visible()
    menu(page, "tcp/2", "Move up")
    expect(row(page, "tcp/2").locator(".position")).to_have_text("2")
    row(page, "tcp/2").get_by_role("button", name="Undo: moved").click()
    expect(row(page, "tcp/2").locator(".position")).to_have_text("4")
    page.keyboard.press("Tab")
    row(page, "tcp/1").get_by_role("button", name="More for rule").nth(0).press("Enter")
    expect(page.get_by_role("menuitem", name="Open")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)


def test_a_rule_is_dragged_by_its_number(page: Page, host: Host) -> None:
    for port in (1, 2, 3):
        host.add(f"drop tcp/{port}")
    expect(page.locator("tr[data-rule]")).to_have_count(3)
    row(page, "tcp/3").locator(".position").drag_to(row(page, "tcp/1"))
    expect(row(page, "tcp/3").locator(".position")).to_have_text("1")
    assert host.texts() == ["drop tcp/3", "drop tcp/1", "drop tcp/2"]
    row(page, "tcp/3").locator(".position").drag_to(row(page, "tcp/1"))
    expect(row(page, "tcp/3").locator(".position")).to_have_text("2")
    assert host.texts() == ["drop tcp/1", "drop tcp/3", "drop tcp/2"]


def test_the_chart_and_the_same_as_a_table(page: Page, host: Host, traffic: None) -> None:
    host.attach()
    host.add("count icmp on docker0")
    expect(row(page, "icmp").locator(".rate")).not_to_have_text("")
    row(page, "icmp").locator(".sentence-button").click()
    drawer = page.get_by_role("complementary", name="Rule", exact=True)
    expect(drawer.get_by_role("img", name="packets a second")).to_be_visible()
    drawer.get_by_role("button", name="View as table").click()
    expect(drawer.get_by_role("table").locator("tbody tr").nth(1)).to_be_visible()
    drawer.get_by_role("button", name="Counters to 0").click()
    expect(page.get_by_role("status")).to_contain_text("begin at 0")


def test_default_drop_asks_first_and_names_the_consequence(page: Page, host: Host) -> None:
    host.attach()
    expect(page.get_by_role("button", name="Detach xdp from docker0")).to_be_visible()
    page.get_by_role("button", name="Edit policy").press("Enter")
    part = page.get_by_role("group", name="IP packets that come in")
    part.get_by_label("drop").click()
    ask = page.get_by_role("dialog")
    expect(ask).to_contain_text("docker0 (from containers)")
    expect(ask).to_contain_text("What this host does now would end without")
    ask.get_by_role("button", name="Cancel").click()
    assert host.service.call("GET", "/policy").json["ingress"] == "accept"
    expect(part.get_by_label("accept", exact=True)).to_be_checked()
    part.get_by_label("drop").click()
    ask.get_by_label("in the same change").uncheck()
    ask.get_by_role("button", name="Drop by default").click()
    expect(part.get_by_label("drop")).to_be_checked()
    assert not host.ping()
    page.keyboard.press("Escape")
    expect(page.locator("tr.policy")).to_contain_text("drop in, accept out")
    page.get_by_role("button", name="Undo: policy").click()
    expect(page.locator("tr.policy")).to_contain_text("accept in and out")
    assert host.ping()
    assert host.texts() == []


def test_default_drop_offers_the_rules_that_it_takes(page: Page, host: Host) -> None:
    host.attach()
    missing = host.service.call("PUT", "/policy?dry_run=true", {"ingress": "drop"}).json
    page.get_by_role("button", name="Edit policy").press("Enter")
    part = page.get_by_role("group", name="IP packets that come in")
    part.get_by_label("drop").click()
    ask = page.get_by_role("dialog")
    for sentence in missing["missing_rules"]:
        expect(ask.get_by_text(sentence, exact=True)).to_be_visible()
    ask.get_by_role("button", name="Drop by default").click()
    expect(part.get_by_label("drop")).to_be_checked()
    expect(page.locator("tr[data-rule]")).to_have_count(len(missing["missing_rules"]))
    assert host.texts() == missing["missing_rules"]
    expect(page.get_by_role("status")).to_contain_text("Otherwise: drop in")
