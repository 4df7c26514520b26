"""Raw routes in the OpenAPI document: bytes of files that come in (`api/uploads.py`) and go out (`api/files.py`)."""

from __future__ import annotations

from typing import Any

from hubbub.api.chat_callers import ACTING_FOR
from hubbub.api.errors import refusal_document
from hubbub.api.uploads import CHECKSUM_MISMATCH, COLLECTION, EXTENSIONS, PATCH_TYPE, VERSION
from hubbub.attachments.uploads import ALGORITHMS
from hubbub.errors import ERRORS, ErrorCode

Document = dict[str, Any]

TAG = {
    "name": "Files",
    "description": "The bytes of files. What else there is to them is with conversations.",
}
CREDENTIALS: list[Document] = [{"apiKey": []}, {"userToken": []}]
SIGNED: list[Document] = [*CREDENTIALS, {}]
TEXT: Document = {"type": "string"}
NUMBER: Document = {"type": "integer", "minimum": 0}
BYTES: Document = {"schema": {"type": "string", "format": "binary"}}
FILE_ID: Document = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
RESUMABLE = "Tus-Resumable"
THROUGH = {
    "Upload-Offset": ("How many bytes there are.", NUMBER),
    "Upload-Expires": ("When the upload is given up if nothing comes.", TEXT),
}


def _parameter(place: str, name: str, meaning: str, schema: Document, *, required: bool = False) -> Document:
    return {"name": name, "in": place, "required": required, "description": meaning, "schema": schema}


ACTING = _parameter("header", ACTING_FOR, "With an API key: the user in whose place it is done.", TEXT)
FILE = _parameter("path", "file", "Id of the file.", FILE_ID, required=True)
TUS = _parameter(
    "header", RESUMABLE, "The version of tus.", {"type": "string", "const": VERSION.decode()}, required=True
)
CHECKSUM = _parameter(
    "header", "Upload-Checksum", f"Of the body: one of {', '.join(ALGORITHMS)}, and a digest in Base64.", TEXT
)
OF_URL = [
    _parameter("query", "expires", "Of a signed URL: until when it is valid, in Unix seconds.", NUMBER),
    _parameter("query", "signature", "Of a signed URL (`files.url`): then no credentials are needed.", TEXT),
    _parameter("query", "download", "Have browsers save it whatever it is.", TEXT),
]
RANGES = [
    _parameter("header", "Range", "One range of bytes (RFC 9110, section 14).", TEXT),
    _parameter("header", "If-Range", "The `ETag` for which the range is meant.", TEXT),
]
UNCHANGED = _parameter("header", "If-None-Match", "`ETag`s that one has: then 304, and no bytes.", TEXT)


def _headers(**more: tuple[str, Document]) -> Document:
    return {name: {"description": meaning, "schema": schema} for name, (meaning, schema) in more.items()}


def _operation(
    id: str,
    summary: str,
    description: str,
    parameters: list[Document],
    answers: Document,
    refusals: tuple[ErrorCode, ...],
    *,
    security: list[Document] = CREDENTIALS,
    body: Document | None = None,
) -> Document:
    made: Document = {
        "operationId": id,
        "tags": [TAG["name"]],
        "summary": summary,
        "description": description,
        "security": security,
        "parameters": parameters,
        "responses": dict(answers),
    }
    if body is not None:
        made["requestBody"] = body
    for code in (*refusals, ErrorCode.INTERNAL):
        made["responses"].setdefault(str(ERRORS[code].status), refusal_document(code))
    made["responses"]["default"] = refusal_document(ErrorCode.DRAINING, "Any other refusal")
    return made


NO_SUCH_UPLOAD = (ErrorCode.BAD_REQUEST, ErrorCode.UNAUTHENTICATED, ErrorCode.NOT_FOUND)
COMING = (*NO_SUCH_UPLOAD, ErrorCode.UPLOAD_CONFLICT, ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.FILE_REFUSED)
MISMATCH = refusal_document(ErrorCode.BAD_REQUEST, "The body is not what its checksum says")
UPLOADS: Document = {
    "options": _operation(
        "uploadsDescribe",
        "What of tus there is",
        f"The version, the extensions ({EXTENSIONS.decode().replace(',', ', ')}) and the size up to which files are "
        "taken, as headers. For everybody.",
        [],
        {"204": {"description": "As headers"}},
        (),
        security=[{}],
    ),
    "post": _operation(
        "uploadsBegin",
        "Upload a small file, or begin an upload",
        "Without `Tus-Resumable` the body is the file itself, or a form with a file in it, up to "
        "`attachments.small_bytes`; the answer comes when it has been looked at. With it an upload by "
        "[tus](https://tus.io/protocols/resumable-upload) begins, of `Upload-Length` bytes; a body of "
        f"`{PATCH_TYPE}` is its first piece. The last segment of `Location` is the file's id.",
        [
            ACTING,
            _parameter("query", "name", "Of a small file: its name.", TEXT),
            {**TUS, "required": False},
            _parameter("header", "Upload-Length", "By tus: how many bytes there will be.", NUMBER),
            _parameter(
                "header", "Upload-Metadata", "By tus: `filename`, a space, and the name in Base64.", TEXT
            ),
            CHECKSUM,
        ],
        {
            "201": {
                "description": "The file; by tus nothing but headers",
                "headers": _headers(Location=("Where the file, or the upload, is.", TEXT), **THROUGH),
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/File"}}},
            }
        },
        (
            ErrorCode.BAD_REQUEST,
            ErrorCode.UNAUTHENTICATED,
            ErrorCode.PERMISSION_DENIED,
            ErrorCode.MESSAGE_TOO_LARGE,
            ErrorCode.FILE_REFUSED,
            ErrorCode.VALIDATION_FAILED,
        ),
        body={
            "required": False,
            "content": {
                "application/octet-stream": BYTES,
                PATCH_TYPE: BYTES,
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": BYTES["schema"]},
                        "required": ["file"],
                    }
                },
            },
        },
    ),
}
UPLOAD: Document = {
    "head": _operation(
        "uploadsProgress",
        "How far an upload is",
        "Go on from `Upload-Offset`.",
        [FILE, ACTING, TUS],
        {
            "200": {
                "description": "As headers",
                "headers": _headers(**THROUGH, **{"Upload-Length": ("How many there will be.", NUMBER)}),
            }
        },
        NO_SUCH_UPLOAD,
    ),
    "patch": _operation(
        "uploadsContinue",
        "The next piece of an upload",
        "The answer to the last piece comes when the file has been looked at.",
        [
            FILE,
            ACTING,
            TUS,
            _parameter("header", "Upload-Offset", "Where the piece begins.", NUMBER, required=True),
            CHECKSUM,
        ],
        {
            "204": {"description": "It is there", "headers": _headers(**THROUGH)},
            str(CHECKSUM_MISMATCH): MISMATCH,
        },
        COMING,
        body={"required": True, "content": {PATCH_TYPE: BYTES}},
    ),
    "delete": _operation(
        "uploadsDelete",
        "Give an upload up",
        "What has come of it is deleted.",
        [FILE, ACTING, TUS],
        {"204": {"description": "It is gone"}},
        NO_SUCH_UPLOAD,
    ),
}


def _reading(id: str, what: str, parameters: list[Document]) -> Document:
    headers = _headers(
        ETag=("Of these bytes.", TEXT),
        **{"Content-Disposition": ("`attachment` for what browsers may not show in place.", TEXT)},
    )
    refusals = (
        ErrorCode.BAD_REQUEST,
        ErrorCode.UNAUTHENTICATED,
        ErrorCode.PERMISSION_DENIED,
        ErrorCode.NOT_FOUND,
    )
    description = (
        "For its owner and whoever may read a message that shows it, with credentials; or for whoever has a signed "
        "URL, until it ends. No answer runs in a browser."
    )
    whole: Document = {"description": "The bytes", "headers": headers, "content": {"*/*": BYTES}}
    part = {**whole, "description": "A part of the bytes"}
    outside = refusal_document(ErrorCode.BAD_REQUEST, "There are not so many bytes")
    unchanged = {"description": "They are what one has"}
    return {
        "get": _operation(
            id,
            f"The bytes of {what}",
            description,
            [*parameters, ACTING, *OF_URL, *RANGES, UNCHANGED],
            {"200": whole, "206": part, "304": unchanged, "416": outside},
            refusals,
            security=SIGNED,
        ),
        "head": _operation(
            f"{id}Headers",
            f"The headers of {what}",
            "As for GET, without the bytes.",
            [*parameters, ACTING, *OF_URL, UNCHANGED],
            {"200": {"description": "As headers", "headers": headers}, "304": unchanged},
            refusals,
            security=SIGNED,
        ),
    }


PLACE = _parameter(
    "path", "place", "Which of the file's `thumbnails`, from 0 on.", {**NUMBER, "maximum": 999}, required=True
)
PATHS: Document = {
    COLLECTION: UPLOADS,
    f"{COLLECTION}/{{file}}": UPLOAD,
    "/v1/files/{file}/content": _reading("filesContent", "a file", [FILE]),
    "/v1/files/{file}/thumbnails/{place}": _reading("filesThumbnail", "a thumbnail", [FILE, PLACE]),
}
