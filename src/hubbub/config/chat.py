"""The sections of the settings that are about conversations: what is with messages, files, moderation, and rights."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from hubbub.config.sections import Count, Seconds, Section


class ChatConfig(Section):
    """Conversations, messages and what is with them."""

    enabled: bool = Field(True, description="Serve conversations; without them no database is opened.")
    live_conversations: Count = Field(
        1_000, description="Conversations that one session follows live by itself, the most active first."
    )
    sync_conversations: Count = Field(100, description="Conversations in one answer of a sync.")
    sync_messages: Count = Field(
        20, description="Messages of each conversation in a sync; with more, the client pages."
    )
    sync_events: Count = Field(
        200, description="Missed events of each conversation in a sync; with more, it is `too_far`."
    )
    inbox_size: Count = Field(1_000, ge=1, description="Events kept of each user's own log.")
    receipts_interval: Seconds = Field(
        0.2, description="Seconds between pushes of receipts of a conversation."
    )
    receipts_members: Count = Field(
        100, description="Members above which receipts are pushed as counts and not by name."
    )
    typing_interval: Seconds = Field(1.0, description="Seconds between pushes that one user is typing.")
    typing_ttl: Seconds = Field(
        6.0, description="Seconds after which somebody who types no more is not shown."
    )
    typing_members: Count = Field(200, description="Members above which typing is not shown.")
    edit_window: Seconds = Field(
        0.0, description="Seconds in which one's own message can be edited; 0: always."
    )
    search_candidates: Count = Field(200, ge=1, description="Newest matches of a search that are ranked.")
    presence_grace: Seconds = Field(
        5.0, description="Seconds for which somebody whose last session ended is still shown as online."
    )


class AttachmentsConfig(Section):
    """Files that people send."""

    enabled: bool = Field(True, description="Take uploads and serve files.")
    url: SecretStr = Field(
        SecretStr("file:hubbub-files"),
        description="Where files are kept: `file:folder` (made if it is missing), `s3://bucket/prefix`, "
        "`gs://bucket/prefix`, `az://container/prefix`, or `memory:` for tests.",
    )
    options: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="What the object store needs beside its URL: `aws_access_key_id`, `aws_secret_access_key`, "
        "`aws_region`, `aws_endpoint` and the like, as obstore names them. Its own environment variables work too.",
    )
    file_bytes: Count = Field(104_857_600, description="Bytes of one file.")
    small_bytes: Count = Field(
        5_242_880, description="Bytes up to which a file may be uploaded in one request without tus."
    )
    quota_bytes: Count = Field(5_368_709_120, description="Bytes of all files of one user; 0: no limit.")
    quota_files: Count = Field(10_000, description="Files of one user; 0: no limit.")
    uploads: Count = Field(20, description="Unfinished uploads of one user.")
    name_length: Count = Field(200, description="Code points of a file's name.")
    per_message: Count = Field(20, description="Files of one message.")
    types: tuple[str, ...] = Field(
        ("*/*",),
        description="Types that are taken, as found by content: `image/*`, `application/pdf`.",
    )
    refused_types: tuple[str, ...] = Field(
        ("application/x-dosexec", "application/x-executable", "application/x-mach-binary"),
        description="Types that are not taken although `types` has them.",
    )
    inline_types: tuple[str, ...] = Field(
        ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "audio/*", "video/*"),
        description="Types that browsers may show in place; all others are downloads. Never what can carry scripts.",
    )
    image_pixels: Count = Field(50_000_000, description="Pixels of an image; larger ones are refused.")
    thumbnails: tuple[int, ...] = Field((320, 960), description="Longest sides of thumbnails in pixels.")
    image_timeout: Seconds = Field(20.0, gt=0, description="Seconds that looking at one image may take.")
    image_workers: Count = Field(1, ge=1, description="Processes that look at images.")
    upload_ttl: Seconds = Field(86_400.0, description="Seconds after which an unfinished upload is given up.")
    unused_ttl: Seconds = Field(
        86_400.0, description="Seconds after which a file that no message shows is deleted."
    )
    url_ttl: Seconds = Field(900.0, gt=0, description="Seconds for which a signed URL of a file is valid.")
    signing_secret: SecretStr | None = Field(
        None,
        description="Secret that URLs of files are signed with, at least 32 bytes; by default made from "
        "`auth.hmac_secret`, or kept in the database where there is none.",
    )
    scan_timeout: Seconds = Field(60.0, gt=0, description="Seconds that the scanning hook may take.")
    scan_failure: Literal["refuse", "accept"] = Field(
        "refuse", description="What becomes of a file that the scanning hook could not judge."
    )


class PreviewsConfig(Section):
    """Previews of links, and all else that the server fetches from strangers."""

    enabled: bool = Field(True, description="Fetch previews of links in messages.")
    timeout: Seconds = Field(
        5.0, gt=0, description="Seconds that a fetch may take in all, redirects included."
    )
    page_bytes: Count = Field(1_048_576, description="Bytes of a page that are read.")
    image_bytes: Count = Field(5_242_880, description="Bytes of a preview's image.")
    redirects: Count = Field(3, description="Redirects that are followed.")
    ports: tuple[int, ...] = Field((80, 443), description="Ports that are fetched from.")
    concurrency: Count = Field(8, ge=1, description="Fetches at once.")
    ttl: Seconds = Field(86_400.0, description="Seconds for which a preview is remembered.")
    denied_hosts: tuple[str, ...] = Field(
        (), description="Hosts that nothing is fetched from; `*.example.com` means all below it."
    )
    allowed_networks: tuple[str, ...] = Field(
        (),
        description="Networks that may be fetched from although they are private (`10.1.0.0/16`). For intranets; "
        "everybody who writes messages can make the server ask there.",
    )
    user_agent: str = Field("Hubbub-Preview/1.0", description="What the server calls itself.")

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for each in given:
            ip_network(each)
        return given


class ModerationConfig(Section):
    """Rules, hooks and the review queue."""

    enabled: bool = Field(True, description="Judge messages by the live rules.")
    hook_timeout: Seconds = Field(1.0, gt=0, description="Seconds that all `before_message` hooks may take.")
    hook_failure: Literal["open", "closed"] = Field(
        "closed",
        description="What becomes of a message that a hook could not judge: `open` lets it pass, `closed` refuses it.",
    )
    exempt_moderators: bool = Field(True, description="Let rules pass what moderators and the server write.")
    flood_window: Seconds = Field(
        10.0, gt=0, description="Seconds that a flood rule counts by, if it says none."
    )
    remembered: Count = Field(
        50_000, description="Recent messages that duplicate and flood rules know of on each node."
    )
    claim_ttl: Seconds = Field(900.0, gt=0, description="Seconds for which a claimed case is its reviewer's.")
    hold_ttl: Seconds = Field(
        7 * 86_400.0,
        description="Seconds after which a held message that nobody decided on is rejected; 0: never.",
    )
    appeal_window: Seconds = Field(
        30 * 86_400.0, description="Seconds after a decision in which it may be appealed."
    )


class RetentionConfig(Section):
    """How long things are kept."""

    messages: Seconds = Field(0.0, description="Seconds for which messages are kept; 0: for ever.")
    sweep_interval: Seconds = Field(300.0, gt=0, description="Seconds between looks for what is to go.")
    sweep_batch: Count = Field(500, ge=1, description="Messages that go in one transaction.")
    invocations: Seconds = Field(
        3_600.0, gt=0, description="Seconds in which a command or a pressed button may be answered."
    )
