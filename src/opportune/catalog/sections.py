"""The top-level keys of the catalog, in the order in which they are read. A new key is one line here."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from opportune.catalog import action_sections as actions
from opportune.catalog import asked_sections as asked
from opportune.catalog import campaign_sections as campaigns
from opportune.catalog import channel_sections as channels
from opportune.catalog import consent_sections as consent
from opportune.catalog import experiment_sections as experiments
from opportune.catalog import flow_sections as flows
from opportune.catalog import funnel_sections as funnels
from opportune.catalog import lab_sections as lab
from opportune.catalog import message_sections as messages
from opportune.catalog import offer_sections as offers
from opportune.catalog import page_sections as pages
from opportune.catalog import policy_sections as policy
from opportune.catalog import process_sections as processes
from opportune.catalog import product_sections as products
from opportune.catalog import profile_sections as profile
from opportune.catalog import rental_sections as rentals
from opportune.catalog import report_sections as reports
from opportune.catalog import shelf_sections as shelves
from opportune.catalog import standard_sections as standards
from opportune.catalog import tool_sections as tools
from opportune.catalog import tracking_sections as tracking
from opportune.catalog.draft import Draft, Section
from opportune.catalog.fields import nearest
from opportune.catalog.node import Node, Spot
from opportune.catalog.types import Catalog

DEFAULT_CURRENCY = "EUR"
DEFAULT_TIME_ZONE = "UTC"


def read_currency(draft: Draft, node: Node | None) -> str:
    if node is None or node.value is None:
        cure = "add `currency:`, three letters of ISO 4217"
        draft.report.warn(Spot(draft.home), f"no `currency`; {DEFAULT_CURRENCY} is assumed", cure)
        return DEFAULT_CURRENCY
    if not re.fullmatch(r"[A-Z]{3}", node.text):
        draft.report.error(node.spot, f"`{node.text}` is not a currency", "three capital letters of ISO 4217, as EUR")
    return node.text


def read_time_zone(draft: Draft, node: Node | None) -> str:
    if node is None or node.value is None:
        cure = "add `time_zone:`, such as Europe/Berlin"
        draft.report.warn(Spot(draft.home), f"no `time_zone`; {DEFAULT_TIME_ZONE} is assumed", cure)
        return DEFAULT_TIME_ZONE
    try:
        draft.zone = ZoneInfo(node.text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zones = available_timezones()
        shown = nearest(node.text, zones)
        cure = shown if "did" in shown else "write a name of the IANA database, such as Europe/Berlin"
        draft.report.error(node.spot, f"unknown time zone `{node.text}`", cure)
    return node.text


def _write_currency(catalog: Catalog) -> Any:
    return catalog.currency


def _write_time_zone(catalog: Catalog) -> Any:
    return catalog.time_zone


DECLARING = (
    Section("currency", "scalar", read_currency, _write_currency),
    Section("time_zone", "scalar", read_time_zone, _write_time_zone),
    Section("language", "scalar", messages.read_language, messages.write_language),
    Section("events", "list", tracking.read_events, tracking.write_events),
    Section("traits", "list", profile.read_traits, profile.write_traits),
    Section("features", "list", profile.read_features, profile.write_features),
    Section("context", "list", profile.read_context, profile.write_context),
    Section("channels", "list", channels.read_channels, channels.write_channels),
    Section("loyalty", "mapping", offers.read_loyalty, offers.write_loyalty),
)
"""The sections that declare the names which conditions read."""

READING = (
    Section("topics", "list", consent.read_topics, consent.write_topics),
    Section("consent", "mapping", consent.read_consent, consent.write_consent),
    Section("holidays", "mapping", consent.read_holidays, consent.write_holidays),
    Section("placements", "list", policy.read_placements, policy.write_placements),
    Section("actions", "list", actions.read_actions, actions.write_actions),
    Section("situations", "list", profile.read_situations, profile.write_situations),
    Section("triggers", "list", flows.read_triggers, flows.write_triggers),
    Section("outbound", "list", flows.read_outbound, flows.write_outbound),
    Section("contact", "list", policy.read_contact, policy.write_contact),
    Section("pulse", "mapping", asked.read_pulse, asked.write_pulse),
    Section("asks", "list", asked.read_asks, asked.write_asks),
    Section("levers", "mapping", policy.read_levers, policy.write_levers),
    Section("context_weights", "list", policy.read_context_weights, policy.write_context_weights),
    Section("model", "mapping", policy.read_model, policy.write_model),
    Section("retain", "mapping", policy.read_retain, policy.write_retain),
    Section("sender", "mapping", messages.read_sender, messages.write_sender),
    Section("blocks", "mapping", messages.read_blocks, messages.write_blocks),
    Section("coupons", "list", offers.read_coupons, offers.write_coupons),
    Section("standards", "list", standards.read_standards, standards.write_standards),
    Section("shelf", "mapping", shelves.read_shelf, shelves.write_shelf),
    Section("rentals", "list", rentals.read_rentals, rentals.write_rentals),
    Section("pages", "list", pages.read_pages, pages.write_pages),
    Section("products", "list", products.read_products, products.write_products),
    Section("metrics", "list", lab.read_metrics, lab.write_metrics),
    Section("hypotheses", "list", lab.read_hypotheses, lab.write_hypotheses),
    Section("experiments", "list", experiments.read_experiments, experiments.write_experiments),
    Section("holdouts", "list", lab.read_holdouts, lab.write_holdouts),
    Section("people", "list", processes.read_people, processes.write_people),
    Section("processes", "list", processes.read_processes, processes.write_processes),
    Section("campaigns", "list", campaigns.read_campaigns, campaigns.write_campaigns),
    Section("tools", "list", tools.read_tools, tools.write_tools),
    Section("funnel", "mapping", funnels.read_funnel, funnels.write_funnel),
    Section("targets", "list", reports.read_targets, reports.write_targets),
    Section("reports", "list", reports.read_reports, reports.write_reports),
)
"""The sections that may read those names."""

SECTIONS = DECLARING + READING
