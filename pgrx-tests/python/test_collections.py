"""A collection of schema `kite` under an ORM: SQLAlchemy maps its table, joins it, refers to it and rolls it back.

KITE_URL names a database that has the extension.
"""

import json
import os
import unittest

import numpy as np
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import BigInteger, ForeignKey, MetaData, String, Table, create_engine, func, inspect, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

ENGINE = create_engine(os.environ["KITE_URL"].replace("postgres://", "postgresql+psycopg://").replace("postgresql://", "postgresql+psycopg://"))

SCHEMA = {
    "enable_dynamic_field": True,
    "fields": [
        {"name": "id", "data_type": "INT64", "is_primary": True},
        {"name": "title", "data_type": "VARCHAR", "max_length": 64},
        {"name": "owner", "data_type": "INT64", "nullable": True},
        {"name": "embedding", "data_type": "FLOAT_VECTOR", "dim": 3},
    ],
}
INDEX = {"field_name": "embedding", "index_type": "HNSW", "metric_type": "COSINE"}
ROWS = [
    {"id": 1, "title": "cells", "owner": 1, "embedding": [1, 0, 0], "subject": "biology"},
    {"id": 2, "title": "wars", "owner": 2, "embedding": [0, 1, 0], "subject": "history"},
    {"id": 3, "title": "genes", "owner": 1, "embedding": [0.9, 0.1, 0], "subject": "biology"},
]


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str]


class Doc(Base):
    """The table of a collection: its columns are the fields, and two of the extension's."""

    __tablename__ = "docs"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(String)
    owner: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id"))
    embedding = mapped_column(VECTOR(3), nullable=False)
    meta: Mapped[dict] = mapped_column("$meta", JSONB, default=dict)
    user: Mapped[User | None] = relationship()
    notes: Mapped[list["Note"]] = relationship(back_populates="doc", cascade="all, delete-orphan")


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    doc_id: Mapped[int] = mapped_column(ForeignKey("docs.id"))
    body: Mapped[str]
    doc: Mapped[Doc] = relationship(back_populates="notes")


def create(connection, name="docs"):
    connection.execute(
        text("SELECT kite.create_collection(:name, schema => :schema, index_params => :index)"),
        {"name": name, "schema": json.dumps(SCHEMA), "index": json.dumps(INDEX)},
    )


class Orm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with ENGINE.begin() as connection:
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS pgkite CASCADE"))

    def setUp(self):
        with ENGINE.begin() as connection:
            create(connection)
            inserted = connection.execute(
                text("SELECT kite.insert('docs', CAST(:rows AS text))"), {"rows": json.dumps(ROWS)}
            ).scalar_one()
            self.assertEqual(inserted, {"insert_count": 3, "ids": [1, 2, 3]})
        # Makes what is not there: users and notes, the latter with a foreign key to the collection.
        Base.metadata.create_all(ENGINE)
        with Session(ENGINE) as session:
            session.add_all([User(id=1, name="anna"), User(id=2, name="bert")])
            session.commit()

    def tearDown(self):
        with ENGINE.begin() as connection:
            connection.execute(text("DROP TABLE notes, users; SELECT kite.drop_collection('docs')"))

    def test_objects_are_rows(self):
        with Session(ENGINE) as session:
            nearest = select(Doc).order_by(Doc.embedding.cosine_distance([1, 0, 0])).limit(2)
            found = session.scalars(nearest).all()
            self.assertEqual([doc.title for doc in found], ["cells", "genes"])
            np.testing.assert_array_equal(found[0].embedding, [1, 0, 0])
            self.assertEqual(found[0].meta, {"subject": "biology"})
            biology = select(func.count()).select_from(Doc).where(Doc.meta["subject"].astext == "biology")
            self.assertEqual(session.scalar(biology), 2)

    def test_what_the_orm_writes_is_in_the_collection(self):
        with Session(ENGINE) as session:
            session.add(Doc(id=4, title="stars", embedding=[0, 0, 1], meta={"subject": "physics"}))
            session.get(Doc, 2).title = "peace"
            session.delete(session.get(Doc, 1))
            session.commit()
        with ENGINE.connect() as connection:
            rows = connection.execute(
                text("SELECT kite.query('docs', output_fields => '{title,subject}')")
            ).scalars()
            self.assertEqual(
                list(rows),
                [
                    {"id": 2, "title": "peace", "subject": "history"},
                    {"id": 3, "title": "genes", "subject": "biology"},
                    {"id": 4, "title": "stars", "subject": "physics"},
                ],
            )

    def test_joins(self):
        with Session(ENGINE) as session:
            joined = (
                select(Doc.title, User.name)
                .join(Doc.user)
                .order_by(Doc.embedding.cosine_distance([0, 1, 0]))
                .limit(1)
            )
            self.assertEqual(session.execute(joined).one(), ("wars", "bert"))
            # A search is a table, too.
            hit = (
                func.kite.search(text("'docs'"), text("CAST('[1,0,0]' AS vector)"), text("2"), text("'subject == \"biology\"'"))
                .table_valued("query", "id", "key", "distance", "entity")
                .alias("hit")
            )
            found = select(Doc.title, User.name, hit.c.distance).join(hit, hit.c.id == Doc.id).join(Doc.user)
            rows = session.execute(found.order_by(hit.c.distance.desc())).all()
            self.assertEqual([(title, name) for title, name, _ in rows], [("cells", "anna"), ("genes", "anna")])
            self.assertEqual(rows[0].distance, 1.0)

    def test_foreign_keys(self):
        with Session(ENGINE) as session:
            doc = session.get(Doc, 1)
            doc.notes.append(Note(id=1, body="read again"))
            session.commit()
            session.add(Note(id=2, doc_id=99, body="of nothing"))
            with self.assertRaises(IntegrityError):
                session.commit()
        with ENGINE.connect() as connection, self.assertRaises(IntegrityError):
            connection.execute(text("SELECT kite.delete('docs', ids => '[1]')"))
        with Session(ENGINE) as session:
            session.delete(session.get(Doc, 1))
            session.commit()
            self.assertEqual(session.scalars(select(Note)).all(), [])

    def test_transactions(self):
        with Session(ENGINE) as session:
            session.execute(text("SELECT kite.delete('docs', filter => 'id > 1')"))
            create(session, "other")
            self.assertEqual(session.scalar(select(func.count()).select_from(Doc)), 1)
            session.rollback()
            self.assertEqual(session.scalar(select(func.count()).select_from(Doc)), 3)
            self.assertFalse(session.scalar(text("SELECT kite.has_collection('other')")))
            with self.assertRaises(ProgrammingError):
                session.execute(text("SELECT * FROM other"))

    def test_reflection(self):
        docs = Table("docs", MetaData(), autoload_with=ENGINE)
        self.assertEqual(list(docs.columns.keys()), ["id", "title", "owner", "embedding", "$meta", "$partition"])
        self.assertEqual(docs.columns["embedding"].type.dim, 3)
        self.assertEqual([column.name for column in docs.primary_key], ["id"])
        indexes = {index["name"]: index["column_names"] for index in inspect(ENGINE).get_indexes("docs")}
        self.assertEqual(indexes["docs_embedding_idx"], ["embedding"])


if __name__ == "__main__":
    unittest.main()
