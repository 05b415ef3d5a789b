// A described struct as columns of a table, so that a model's members are named once: std::optional is NULL,
// enums are their names, vectors are JSON text. Every identifier is quoted.
#pragma once

#include <string>

#include "describe/encode.h"
#include "sqlite/connection.h"
#include "sqlite/stored_json.h"

namespace segments::sqlite {

template <class M>
constexpr const char* column_type() {
  if constexpr (OptionalOf<M>::value) {
    using V = typename OptionalOf<M>::Value;
    if constexpr (std::is_floating_point_v<V>)
      return "REAL";
    else if constexpr (std::is_integral_v<V>)
      return "INTEGER";
    else
      return "TEXT";
  } else if constexpr (std::is_floating_point_v<M>) {
    return "REAL NOT NULL";
  } else if constexpr (std::is_integral_v<M>) {
    return "INTEGER NOT NULL";
  } else {
    return "TEXT NOT NULL";
  }
}

// `"a" TEXT NOT NULL, "b" INTEGER`
template <Described T>
std::string column_definitions() {
  std::string sql;
  for_each_member<T>([&](const char* name, auto member) {
    using M = std::remove_cvref_t<decltype(std::declval<T&>().*member)>;
    if (!sql.empty()) sql += ", ";
    sql.append("\"").append(name).append("\" ").append(column_type<M>());
  });
  return sql;
}

// `"a", "b"`
template <Described T>
std::string column_names() {
  std::string sql;
  for_each_member<T>([&](const char* name, auto) {
    if (!sql.empty()) sql += ", ";
    sql.append("\"").append(name).append("\"");
  });
  return sql;
}

template <Described T>
constexpr int column_count() {
  using Members =
      boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;
  return static_cast<int>(boost::mp11::mp_size<Members>::value);
}

// `?, ?, ?`
inline std::string placeholders(int count) {
  std::string sql;
  for (int i = 0; i < count; ++i) sql += i ? ", ?" : "?";
  return sql;
}

template <class M>
void bind_column(Statement& statement, int parameter, const M& value) {
  if constexpr (OptionalOf<M>::value) {
    if (value)
      bind_column(statement, parameter, *value);
    else
      statement.bind_null(parameter);
  } else if constexpr (DescribedEnum<M>) {
    statement.bind(parameter, std::string_view(name_of(value)));
  } else if constexpr (std::is_floating_point_v<M>) {
    statement.bind(parameter, static_cast<double>(value));
  } else if constexpr (std::is_integral_v<M>) {
    statement.bind(parameter, static_cast<std::int64_t>(value));
  } else if constexpr (VectorOf<M>::value) {
    if (value.empty())
      statement.bind(parameter, std::string_view("[]"));
    else
      statement.bind_copy(parameter, encode(value));
  } else {
    statement.bind(parameter, std::string_view(value));
  }
}

// Binds all members from `parameter` on; the next parameter.
template <Described T>
int bind_columns(Statement& statement, int parameter, const T& value) {
  for_each_member<T>([&](const char*, auto member) { bind_column(statement, parameter++, value.*member); });
  return parameter;
}

template <class M>
void read_column(Statement& statement, int column, M& value) {
  if constexpr (std::is_same_v<M, std::optional<std::string>>) {
    if (const auto text = statement.text(column); text.data())
      value.emplace(text);
    else
      value.reset();
  } else if constexpr (OptionalOf<M>::value) {
    if (statement.is_null(column))
      value.reset();
    else
      read_column(statement, column, value.emplace());
  } else if constexpr (DescribedEnum<M>) {
    if (auto found = enum_from<M>(statement.text(column)))
      value = *found;
    else
      throw Error(ErrorKind::internal, "A stored record is not readable.");
  } else if constexpr (std::is_floating_point_v<M>) {
    value = statement.number(column);
  } else if constexpr (std::is_integral_v<M>) {
    value = static_cast<M>(statement.integer(column));
  } else if constexpr (VectorOf<M>::value) {
    read_stored(value, statement.text(column));
  } else {
    value = statement.text(column);
  }
}

// Reads all members from `column` on; the next column.
template <Described T>
int read_columns(Statement& statement, int column, T& value) {
  for_each_member<T>([&](const char*, auto member) { read_column(statement, column++, value.*member); });
  return column;
}

}  // namespace segments::sqlite
