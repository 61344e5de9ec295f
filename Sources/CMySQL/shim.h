// MariaDB's connector, which Debian installs as libmysqlclient too.
#pragma once
#include <mariadb/mysql.h>
