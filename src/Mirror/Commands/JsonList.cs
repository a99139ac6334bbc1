using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Mirror.Administration;

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

    /// <summary>All there is, as it comes.</summary>
    public Task AddAllAsync(IAsyncEnumerable<T> elements) => FillAsync(async () =>
    {
        await foreach (var element in elements)
        {
            await AddAsync(element);
        }
    });

    /// <summary>Ends the array also where <paramref name="add"/> fails, so that it is JSON; not where that is to be tried again.</summary>
    public async Task FillAsync(Func<Task> add)
    {
        try
        {
            await add();
        }
        catch (Exception e) when (e is not ServerGoneException)
        {
            await EndAsync();
            throw;
        }

        await EndAsync();
    }

    private Task EndAsync() => output.WriteAsync(_isOpen ? "\n]\n" : "[]\n");
}
