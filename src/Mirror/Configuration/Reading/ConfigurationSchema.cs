using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mirror.Configuration.Reading;

/// <summary>Writes a JSON schema (draft 2020-12) of the keys, so that editors complete, explain and check them.</summary>
internal static class ConfigurationSchema
{
    // Descriptions are for people, and the schema is no part of a web page: quotes need no escapes beyond JSON's.
    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static string Write(IReadOnlyList<DeclaredKey> keys)
    {
        var schema = ObjectOf(keys);
        schema.Insert(0, "$schema", "https://json-schema.org/draft/2020-12/schema");
        schema.Insert(1, "title", "mirror.yml");
        schema["$defs"] = new JsonObject
        {
            ["variable"] = new JsonObject
            {
                ["type"] = "string",
                ["pattern"] = Variables.Pattern,
                ["description"] = "${NAME} is replaced by the environment variable NAME.",
            },
        };
        return schema.ToJsonString(Readable);
    }

    private static JsonObject ObjectOf(IReadOnlyList<DeclaredKey> keys)
    {
        var properties = new JsonObject();
        foreach (var key in keys)
        {
            var schema = SchemaOf(key);
            schema.Insert(0, "description", key.Description);
            properties[key.Name] = schema;
        }

        return new JsonObject { ["type"] = ObjectOrNull(), ["properties"] = properties, ["additionalProperties"] = false };
    }

    private static JsonObject SchemaOf(DeclaredKey key) => key switch
    {
        DeclaredKey.Value value => ValueOf(value),
        DeclaredKey.Section section => ObjectOf(section.Keys),
        DeclaredKey.Map map => new JsonObject
        {
            ["type"] = ObjectOrNull(),
            ["propertyNames"] = map.NameSchema.DeepClone(),
            ["additionalProperties"] = ObjectOf(map.Template),
        },
        DeclaredKey.Sequence sequence => new JsonObject { ["type"] = new JsonArray("array", "null"), ["items"] = ObjectOf(sequence.Template) },
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static JsonObject ValueOf(DeclaredKey.Value value)
    {
        var schema = value.IsList
            ? new JsonObject { ["anyOf"] = new JsonArray(OrVariable(value.Schema()), ListOf(OrVariable(value.Schema()))) }
            : OrVariable(value.Schema());
        if (value.Default is { } @default)
        {
            schema["default"] = value.IsList
                ? new JsonArray([.. @default.Select(d => JsonValue.Create(d))])
                : IsOfType(value.Schema(), "boolean") ? @default[0] == "true"
                : IsOfType(value.Schema(), "integer") ? int.Parse(@default[0], CultureInfo.InvariantCulture)
                : @default[0];
        }

        return schema;
    }

    private static JsonObject ListOf(JsonObject items) => new() { ["type"] = "array", ["items"] = items };

    /// <summary>Any text may be or contain a variable; text without rules allows that already.</summary>
    private static JsonObject OrVariable(JsonObject schema) =>
        schema.Count == 1 && IsOfType(schema, "string")
            ? schema
            : new JsonObject { ["anyOf"] = new JsonArray(schema, new JsonObject { ["$ref"] = "#/$defs/variable" }) };

    private static bool IsOfType(JsonObject schema, string type) => schema["type"] is JsonValue value && value.GetValue<string>() == type;

    /// <summary>A section whose keys are all commented out is null to YAML.</summary>
    private static JsonArray ObjectOrNull() => ["object", "null"];
}
