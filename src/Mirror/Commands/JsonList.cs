using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Mirror.Commands;

/// <summary>Writes a JSON array element by element, each on a line of its own: however long it is, none is kept.</summary>
internal sealed class JsonList<T>(TextWriter output, JsonTypeInfo<T> type)
{
    private bool _isOpen;

    public async Task AddAsync(T element)
    {
        await output.WriteAsync(_isOpen ? ",\n" : "[\n");
        await output.WriteAsync(JsonSerializer.Serialize(element, type));
        _isOpen = true;
    }

    public Task EndAsync() => output.WriteAsync(_isOpen ? "\n]\n" : "[]\n");
}
