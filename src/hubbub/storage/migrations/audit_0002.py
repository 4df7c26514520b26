"""Of revision 0002: the triggers that keep the audit log as it was written.

As all that revisions use, it stays as it is.
"""

from __future__ import annotations

from alembic.operations import Operations

APPEND_ONLY = "the audit log is append-only"
RENAMED = """(
    {after} IS NOT DISTINCT FROM {before} OR (
        EXISTS (SELECT 1 FROM users WHERE users.id = {before} AND users.erased IS NOT NULL)
        AND EXISTS (SELECT 1 FROM audit AS erasure WHERE erasure."user" = {after} AND erasure.act = 'rights.erase')
    )
)"""
"""Nothing has changed, or an alias stands for somebody who is being erased."""
SAME = """
    NEW.id = OLD.id AND NEW.time = OLD.time AND NEW.act = OLD.act
    AND NEW.conversation IS NOT DISTINCT FROM OLD.conversation
    AND NEW.message IS NOT DISTINCT FROM OLD.message
"""
ON_SQLITE = f"""
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit WHEN NOT (
    {SAME}
    AND {RENAMED.format(before="OLD.actor", after="NEW.actor")}
    AND {RENAMED.format(before='OLD."user"', after='NEW."user"')}
    AND (NEW.data = OLD.data OR (
        (SELECT count(*) FROM json_tree(NEW.data)) = (SELECT count(*) FROM json_tree(OLD.data))
        AND NOT EXISTS (
            SELECT 1 FROM json_tree(OLD.data) AS o LEFT JOIN json_tree(NEW.data) AS n ON n.fullkey = o.fullkey
            WHERE n.type IS DISTINCT FROM o.type OR NOT {RENAMED.format(before="o.atom", after="n.atom")}
        )
    ))
) BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END
"""
LEAVES = """
    SELECT place, CASE jsonb_typeof(node)
        WHEN 'string' THEN node #>> '{{}}'
        WHEN 'object' THEN 'object ' || (SELECT string_agg(key, ',' ORDER BY key) FROM jsonb_object_keys(node) AS key)
        WHEN 'array' THEN 'array'
        ELSE jsonb_typeof(node) || node::text
    END AS leaf FROM jsonb_path_query({}.data::jsonb, 'strict $.**') WITH ORDINALITY AS nodes(node, place)
"""
ON_POSTGRESQL = f"""
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF {SAME}
            AND {RENAMED.format(before="OLD.actor", after="NEW.actor")}
            AND {RENAMED.format(before='OLD."user"', after='NEW."user"')}
            AND (NEW.data = OLD.data OR NOT EXISTS (
                SELECT 1 FROM ({LEAVES.format("OLD")}) AS o FULL JOIN ({LEAVES.format("NEW")}) AS n USING (place)
                WHERE NOT {RENAMED.format(before="o.leaf", after="n.leaf")}
            ))
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '{APPEND_ONLY}';
END $$
"""


def keep_audit(op: Operations) -> None:
    """Nobody who speaks SQL as the application does may change what was done, or take it out; but who is erased becomes
    an alias there, too."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(ON_SQLITE)
        op.execute(
            "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
        )
        return
    op.execute(ON_POSTGRESQL)
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit "
        "FOR EACH ROW EXECUTE FUNCTION audit_append_only()"
    )
    op.execute(
        "CREATE TRIGGER audit_not_taken_out BEFORE DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
    )
