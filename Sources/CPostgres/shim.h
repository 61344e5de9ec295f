// What Swift can't import from libpq-fe.h: macros that are characters.
#pragma once
#include <postgresql/libpq-fe.h>

static const int EVENTOR_PG_DIAG_COLUMN_NAME = PG_DIAG_COLUMN_NAME;
static const int EVENTOR_PG_DIAG_CONSTRAINT_NAME = PG_DIAG_CONSTRAINT_NAME;
static const int EVENTOR_PG_DIAG_MESSAGE_PRIMARY = PG_DIAG_MESSAGE_PRIMARY;
static const int EVENTOR_PG_DIAG_SEVERITY_NONLOCALIZED = PG_DIAG_SEVERITY_NONLOCALIZED;
static const int EVENTOR_PG_DIAG_SQLSTATE = PG_DIAG_SQLSTATE;
static const int EVENTOR_PG_DIAG_TABLE_NAME = PG_DIAG_TABLE_NAME;
