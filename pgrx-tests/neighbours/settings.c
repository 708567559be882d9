/* A library that defines a setting of pgvector's, as pgvector's own does when it is preloaded. */

#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

static int	ef_search;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	DefineCustomIntVariable("hnsw.ef_search", "Stands in for pgvector's setting.", NULL,
							&ef_search, 40, 1, 1000, PGC_USERSET, 0, NULL, NULL, NULL);
}
