"""Python clients of pgvector on the extension `vector` that pgkite stands in for.

KITE_URL names an empty database. Nothing here knows that the server is not pgvector.
"""

import asyncio
import os
import unittest

import asyncpg
import numpy as np
import psycopg
from pgvector import Bit, HalfVector, SparseVector, Vector
from pgvector.asyncpg import register_vector as register_asyncpg
from pgvector.psycopg import register_vector, register_vector_async
from pgvector.sqlalchemy import BIT, HALFVEC, SPARSEVEC, VECTOR, avg, sum as vector_sum
from sqlalchemy import MetaData, Table, create_engine, func, inspect, select, text
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

URL = os.environ["KITE_URL"]

EDGE = [0.0, -0.0, 1.5, -2.25, 3.4028234663852886e38, 1.1754943508222875e-38, 1e-45]


def setUpModule():
    with psycopg.connect(URL, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
        # Runs twice in every application that migrates at start.
        conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
        (version,) = conn.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        assert version == "0.8.6", version


class Psycopg(unittest.TestCase):
    """psycopg 3: text and binary parameters, results and COPY."""

    def setUp(self):
        self.conn = psycopg.connect(URL, autocommit=True)
        register_vector(self.conn)
        self.conn.execute("DROP TABLE IF EXISTS items")
        self.conn.execute(
            "CREATE TABLE items (id bigserial PRIMARY KEY, v vector(3), h halfvec(3), s sparsevec(3), b bit(3))"
        )

    def tearDown(self):
        self.conn.close()

    def row(self):
        return Vector([1.5, -2, 0]), HalfVector([0.5, 65504, -1]), SparseVector({0: 1.5, 2: -2}, 3), Bit("101")

    def check(self, rows):
        for v, h, s, b in rows:
            self.assertEqual(v, Vector([1.5, -2, 0]))
            self.assertEqual(h, HalfVector([0.5, 65504, -1]))
            self.assertEqual((s.dimensions(), s.indices(), s.values()), (3, [0, 2], [1.5, -2.0]))
            self.assertEqual(Bit(b) if isinstance(b, str) else b, Bit("101"))

    def test_parameters_and_results(self):
        for fmt in "%t", "%b":
            marks = ", ".join([fmt] * 4)
            self.conn.execute(f"INSERT INTO items (v, h, s, b) VALUES ({marks})", self.row())
        for binary in False, True:
            rows = self.conn.execute("SELECT v, h, s FROM items", binary=binary).fetchall()
            self.assertEqual(len(rows), 2)
            self.check((*row, "101") for row in rows)
        (bits,) = self.conn.execute("SELECT DISTINCT b::text FROM items").fetchone()
        self.assertEqual(bits, "101")

    def test_binary_copy(self):
        with self.conn.cursor().copy("COPY items (v, h, s, b) FROM STDIN WITH (FORMAT BINARY)") as copy:
            copy.set_types(["vector", "halfvec", "sparsevec", "bit"])
            for _ in range(1000):
                copy.write_row(self.row())
        self.check(self.conn.execute("SELECT v, h, s, b::text FROM items").fetchall())
        with self.conn.cursor().copy("COPY items (v, h, s) TO STDOUT WITH (FORMAT BINARY)") as copy:
            copy.set_types(["vector", "halfvec", "sparsevec"])
            rows = list(copy.rows())
        self.assertEqual(len(rows), 1000)
        self.check((*row, "101") for row in rows)

    def test_text_copy(self):
        with self.conn.cursor().copy("COPY items (v, h, s, b) FROM STDIN") as copy:
            copy.write("[1.5,-2,0]\t[0.5,65504,-1]\t{1:1.5,3:-2}/3\t101\n\\N\t\\N\t\\N\t\\N\n")
        self.check(self.conn.execute("SELECT v, h, s, b::text FROM items WHERE v IS NOT NULL").fetchall())
        (nulls,) = self.conn.execute("SELECT count(*) FROM items WHERE num_nulls(v, h, s, b) = 4").fetchone()
        self.assertEqual(nulls, 1)

    def test_arrays_of_vectors(self):
        self.conn.execute("DROP TABLE IF EXISTS lists")
        self.conn.execute("CREATE TABLE lists (v vector[])")
        vectors = [Vector([1, 2, 3]), Vector([4, 5])]
        self.conn.execute("INSERT INTO lists VALUES (%s)", (vectors,))
        (read,) = self.conn.execute("SELECT v FROM lists").fetchone()
        self.assertEqual(read, vectors)

    def test_edge_values_come_back_bit_for_bit(self):
        for binary in False, True:
            (v,) = self.conn.execute("SELECT %b::vector", (Vector(EDGE),), binary=binary).fetchone()
            self.assertEqual(v.to_binary(), Vector(EDGE).to_binary())

    def test_numpy(self):
        (v,) = self.conn.execute("SELECT %s::vector", (np.array([1, 2, 3], dtype=np.float32),)).fetchone()
        np.testing.assert_array_equal(v.to_numpy(), [1, 2, 3])

    def test_nearest_neighbours_in_a_prepared_statement(self):
        for i in range(20):
            self.conn.execute("INSERT INTO items (v) VALUES (%s)", (Vector([i, 0, 0]),))
        for _ in range(10):
            rows = self.conn.execute(
                "SELECT id, v <-> %s FROM items ORDER BY v <-> %s LIMIT 3",
                (Vector([7.25, 0, 0]), Vector([7.25, 0, 0])),
                prepare=True,
            ).fetchall()
            self.assertEqual(rows, [(8, 0.25), (9, 0.75), (7, 1.25)])

    def test_errors_have_the_codes_that_clients_know(self):
        with self.assertRaises(psycopg.errors.DataException) as caught:
            self.conn.execute("INSERT INTO items (v) VALUES (%s)", (Vector([1, 2]),))
        self.assertEqual(caught.exception.sqlstate, "22000")
        self.assertEqual(caught.exception.diag.message_primary, "expected 3 dimensions, not 2")
        with self.assertRaises(psycopg.errors.InvalidTextRepresentation):
            self.conn.execute("SELECT 'x'::vector")

    def test_async(self):
        async def run():
            async with await psycopg.AsyncConnection.connect(URL) as conn:
                await register_vector_async(conn)
                cursor = await conn.execute("SELECT %s::vector", (Vector([1, 2]),))
                return (await cursor.fetchone())[0]

        self.assertEqual(asyncio.run(run()), Vector([1, 2]))


class Asyncpg(unittest.TestCase):
    """asyncpg: binary both ways, prepared statements always."""

    def test_round_trip(self):
        asyncio.run(self.round_trip())

    async def round_trip(self):
        conn = await asyncpg.connect(URL)
        try:
            await register_asyncpg(conn)
            for kind, value in (
                ("vector", Vector(EDGE)),
                ("halfvec", HalfVector([0.5, -65504, 6e-8])),
                ("sparsevec", SparseVector({0: 1.5, 999_999_999: -2}, 1_000_000_000)),
            ):
                back = await conn.fetchval(f"SELECT $1::{kind}", value)
                self.assertEqual(back.to_binary(), value.to_binary(), kind)
            bits = await conn.fetchval("SELECT $1::bit(9)", asyncpg.BitString("101010101"))
            self.assertEqual(bits.as_string().replace(" ", ""), "101010101")
            await conn.execute("DROP TABLE IF EXISTS copied; CREATE TABLE copied (v vector(2), s sparsevec(2))")
            records = [(Vector([i, -i]), SparseVector({1: i + 1}, 2)) for i in range(500)]
            await conn.copy_records_to_table("copied", records=records)
            rows = await conn.fetch("SELECT v, s FROM copied ORDER BY v")
            self.assertEqual([(r["v"], r["s"]) for r in rows], records)
        finally:
            await conn.close()


class Base(DeclarativeBase):
    """Declarative base of the model below."""


class Item(Base):
    """A table as an application declares it."""

    __tablename__ = "orm_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    v = mapped_column(VECTOR(3))
    h = mapped_column(HALFVEC(3))
    s = mapped_column(SPARSEVEC(3))
    b = mapped_column(BIT(3))


class SqlAlchemy(unittest.TestCase):
    """SQLAlchemy: tables from models, distances, aggregates, reflection."""

    @classmethod
    def setUpClass(cls):
        cls.engine = create_engine(URL.replace("postgresql://", "postgresql+psycopg://"))
        Base.metadata.drop_all(cls.engine)
        Base.metadata.create_all(cls.engine)
        with Session(cls.engine) as session:
            for i, v in enumerate(([1, 1, 1], [2, 2, 2], [1, 1, 2], None), start=1):
                sparse = None if v is None else SparseVector(v)
                session.add(Item(id=i, v=v, h=v, s=sparse, b=None if v is None else f"{i:03b}"))
            session.commit()

    @classmethod
    def tearDownClass(cls):
        cls.engine.dispose()

    def test_values(self):
        with Session(self.engine) as session:
            item = session.get(Item, 3)
            self.assertEqual(list(item.v), [1, 1, 2])
            self.assertEqual(list(item.h), [1, 1, 2])
            self.assertEqual(item.s, SparseVector([1, 1, 2]))
            self.assertEqual(item.b, "011")
            self.assertIsNone(session.get(Item, 4).v)

    def test_order_by_every_distance(self):
        with Session(self.engine) as session:
            expected = {"l2_distance": [1, 3, 2], "l1_distance": [1, 3, 2], "max_inner_product": [2, 3, 1]}
            for column in Item.v, Item.h:
                for distance, order in expected.items():
                    by = getattr(column, distance)([1, 1, 1])
                    ids = session.scalars(select(Item.id).where(column.is_not(None)).order_by(by)).all()
                    self.assertEqual(ids, order, (column, distance))
                last = select(Item.id).where(column.is_not(None)).order_by(column.cosine_distance([1, 1, 1]).desc())
                self.assertEqual(session.scalars(last).first(), 3)
            by = Item.s.l2_distance(SparseVector([1, 1, 1]))
            self.assertEqual(session.scalars(select(Item.id).order_by(by)).all(), [1, 3, 2, 4])
            by = Item.b.hamming_distance("011")
            self.assertEqual(session.scalars(select(Item.id).order_by(by, Item.id)).all(), [3, 1, 2, 4])
            by = Item.b.jaccard_distance("011")
            self.assertEqual(session.scalars(select(Item.id).order_by(by, Item.id)).all(), [3, 1, 2, 4])

    def test_filter_by_distance(self):
        with Session(self.engine) as session:
            close = select(Item.id).where(Item.v.l2_distance([1, 1, 1]) < 1.5).order_by(Item.id)
            self.assertEqual(session.scalars(close).all(), [1, 3])

    def test_aggregates(self):
        with Session(self.engine) as session:
            self.assertEqual(list(session.scalars(select(vector_sum(Item.v))).one()), [4, 4, 5])
            mean = session.scalars(select(avg(Item.h))).one()
            np.testing.assert_allclose(mean, [4 / 3, 4 / 3, 5 / 3], rtol=1e-3)

    def test_functions(self):
        with Session(self.engine) as session:
            self.assertEqual(session.scalars(select(func.vector_dims(Item.v)).where(Item.id == 1)).one(), 3)
            self.assertEqual(session.scalars(select(func.vector_norm(Item.v)).where(Item.id == 2)).one(), 12**0.5)

    def test_reflection_and_btree_index(self):
        with self.engine.begin() as conn:
            conn.execute(text("CREATE INDEX IF NOT EXISTS orm_item_v ON orm_item (v)"))
        reflected = Table("orm_item", MetaData(), autoload_with=self.engine)
        self.assertIsInstance(reflected.c.v.type, VECTOR)
        self.assertEqual((reflected.c.v.type.dim, reflected.c.h.type.dim, reflected.c.s.type.dim), (3, 3, 3))
        self.assertEqual([index["name"] for index in inspect(self.engine).get_indexes("orm_item")], ["orm_item_v"])

    def test_a_wrong_dimension_is_an_error_of_the_data(self):
        with self.assertRaises(DBAPIError) as caught, Session(self.engine) as session:
            session.add(Item(id=99, v=[1, 2]))
            session.commit()
        self.assertIsInstance(caught.exception, DataError)
        self.assertIn("expected 3 dimensions, not 2", str(caught.exception))


if __name__ == "__main__":
    unittest.main(verbosity=2)
